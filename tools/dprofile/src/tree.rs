//! Stacks laid over each other: what flame graphs are drawn of. It never draws.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::diff::{same_kind, scale, scaled};
use crate::recording::{Interned, Recording};

/// Calls below this depth are counted where it is reached.
const MOST_DEPTH: u16 = 1000;
/// More different calls are counted at their callers.
const MOST_NODES: usize = 1 << 24;

/// A call with all that called it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    /// Index into [`Tree::names`].
    pub(crate) name: u32,
    /// How many calls are above it.
    pub(crate) depth: u16,
    /// What was spent in it and below it, and in the profile that is compared with.
    pub(crate) value: i64,
    pub(crate) base: i64,
}

/// The stacks of a recording, or of two.
pub(crate) struct Tree {
    /// What it is of, in a line.
    pub(crate) title: String,
    pub(crate) unit: String,
    pub(crate) names: Vec<String>,
    /// Callers before what they call, the largest call first. The first node is the whole.
    pub(crate) nodes: Vec<Node>,
    /// Whether it is compared with another profile.
    pub(crate) is_difference: bool,
}

impl Tree {
    /// Lays out the stacks of `new`, beside those of `base` if there is one.
    pub(crate) fn of(
        new: &Recording,
        base: Option<&Recording>,
        sample: Option<&str>,
        normalize: bool,
    ) -> Result<Tree, String> {
        let kind = new.kind(sample)?;
        let mut growing = Growing::default();
        growing.add(new, kind, |node, value| node.value = node.value.saturating_add(value));
        let mut title = format!("{}: {}", new.path, new.value_type(kind).kind);
        if let Some(base) = base {
            let base_kind = same_kind(base, new, kind)?;
            growing.add(base, base_kind, |node, value| node.base = node.base.saturating_add(value));
            title.push_str(&format!(", compared with {}", base.path));
            if normalize {
                let whole = growing.nodes[0];
                let factor = scale(whole.base, whole.value);
                growing.nodes.iter_mut().for_each(|node| node.base = scaled(node.base, factor));
            }
        }
        let nodes = growing.in_order();
        Ok(Tree {
            title,
            unit: new.value_type(kind).unit.to_string(),
            names: growing.names.texts,
            nodes,
            is_difference: base.is_some(),
        })
    }

    /// The nodes that are at least one `parts`-th of the whole, each with where it begins there.
    pub(crate) fn visible(&self, parts: i64) -> Vec<(i64, &Node)> {
        let whole = self.nodes.first().map_or(0, |node| node.value);
        let mut visible = Vec::new();
        // Where the next call below the node of each depth begins.
        let mut next = vec![0_i64; usize::from(MOST_DEPTH) + 2];
        for node in &self.nodes {
            let depth = usize::from(node.depth);
            let start = next[depth];
            next[depth] = start.saturating_add(node.value);
            next[depth + 1] = start;
            if node.value > 0 && node.value >= whole / parts {
                visible.push((start, node));
            }
        }
        visible
    }
}

/// A tree that stacks are added to.
struct Growing {
    names: Interned,
    nodes: Vec<Node>,
    parents: Vec<u32>,
    /// The node of a name below a node.
    children: HashMap<u64, u32, BuildHasherDefault<PairHasher>>,
}

impl Default for Growing {
    fn default() -> Growing {
        let mut names = Interned::default();
        let whole = Node { name: names.number("all"), depth: 0, value: 0, base: 0 };
        Growing { names, nodes: vec![whole], parents: vec![0], children: HashMap::default() }
    }
}

impl Growing {
    fn add(&mut self, recording: &Recording, kind: usize, count: impl Fn(&mut Node, i64)) {
        let names: Vec<u32> = recording.names.iter().map(|name| self.names.number(name)).collect();
        // What is negative is a saving, which has no width.
        for (sample, value) in recording.stacks(kind).filter(|(_, value)| *value > 0) {
            let mut at = 0;
            count(&mut self.nodes[0], value);
            let frames = recording.stack(sample).rev().take(usize::from(MOST_DEPTH));
            for frame in frames {
                let Some(child) = self.child(at, names[frame.name as usize]) else { break };
                at = child;
                count(&mut self.nodes[at as usize], value);
            }
        }
    }

    fn child(&mut self, parent: u32, name: u32) -> Option<u32> {
        let key = u64::from(parent) << 32 | u64::from(name);
        if let Some(child) = self.children.get(&key) {
            return Some(*child);
        }
        if self.nodes.len() >= MOST_NODES {
            return None;
        }
        let child = self.nodes.len() as u32;
        let depth = self.nodes[parent as usize].depth + 1;
        self.nodes.push(Node { name, depth, value: 0, base: 0 });
        self.parents.push(parent);
        self.children.insert(key, child);
        Some(child)
    }

    /// Callers before what they call, the larger of two calls first.
    fn in_order(&self) -> Vec<Node> {
        let mut below: Vec<Vec<u32>> = vec![Vec::new(); self.nodes.len()];
        for (at, parent) in self.parents.iter().enumerate().skip(1) {
            below[*parent as usize].push(at as u32);
        }
        let key = |at: &u32| {
            let node = &self.nodes[*at as usize];
            (node.value, node.base, std::cmp::Reverse(&self.names.texts[node.name as usize]))
        };
        let mut ordered = Vec::with_capacity(self.nodes.len());
        let mut waiting = vec![0_u32];
        while let Some(at) = waiting.pop() {
            ordered.push(self.nodes[at as usize]);
            let children = &mut below[at as usize];
            children.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
            waiting.append(children);
        }
        ordered
    }
}

/// Mixes one number: the keys are pairs of small numbers that no stranger can choose freely.
#[derive(Default)]
struct PairHasher(u64);

impl Hasher for PairHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        let mixed = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 29;
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::Tree;
    use crate::recording::tests::recorded;

    #[track_caller]
    fn check(tree: &Tree, parts: i64, expected: &Expect) {
        let rows = tree.visible(parts).into_iter().map(|(start, node)| {
            let name = &tree.names[node.name as usize];
            let indent = "  ".repeat(node.depth.into());
            format!("{indent}{name} {start}+{} base {}\n", node.value, node.base)
        });
        expected.assert_eq(&rows.collect::<String>());
    }

    #[test]
    fn equal_calls_are_one() {
        let recording =
            recorded(&["3 main run a", "2 main [b run]", "7 main", "1 other", "-5 main"]);
        let tree = Tree::of(&recording, None, None, false).unwrap();
        check(
            &tree,
            1000,
            &expect![[r#"
            all 0+13 base 0
              main 0+12 base 0
                run 0+5 base 0
                  a 0+3 base 0
                  b 3+2 base 0
              other 12+1 base 0
        "#]],
        );
        check(
            &tree,
            4,
            &expect![[r#"
            all 0+13 base 0
              main 0+12 base 0
                run 0+5 base 0
                  a 0+3 base 0
        "#]],
        );
    }

    #[test]
    fn two_recordings_lie_beside_each_other() {
        let base = recorded(&["4 main a", "4 main gone"]);
        let new = recorded(&["4 main a", "12 main b"]);
        check(
            &Tree::of(&new, Some(&base), None, false).unwrap(),
            1000,
            &expect![[r#"
            all 0+16 base 8
              main 0+16 base 8
                b 0+12 base 0
                a 12+4 base 4
        "#]],
        );
        check(
            &Tree::of(&new, Some(&base), None, true).unwrap(),
            1000,
            &expect![[r#"
            all 0+16 base 16
              main 0+16 base 16
                b 0+12 base 0
                a 12+4 base 8
        "#]],
        );
    }

    #[test]
    fn endless_recursion_ends() {
        let deep = format!("1 {}", "f ".repeat(5000));
        let tree = Tree::of(&recorded(&[deep.trim_end()]), None, None, false).unwrap();
        assert_eq!((tree.nodes.len(), tree.visible(10).len()), (1001, 1001));
    }
}
