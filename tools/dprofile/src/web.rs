//! The page on a loopback port: what it shows, and until when. It never listens elsewhere and
//! serves nothing but this page and the profile that was named.

mod http;

use std::collections::HashMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::diff::{Changes, same_kind};
use crate::recording::{Interned, Recording};
use crate::totals::{Totals, Weight};
use crate::tree::Tree;
use crate::{heading, top};

/// Calls below such a part of the whole are too narrow to be seen, even after a zoom.
const PARTS: i64 = 20_000;
/// Functions in the table.
const MOST_FUNCTIONS: usize = 2000;

const HTML: &str = include_str!("web/page.html");
const SCRIPT: &str = include_str!("web/page.js");
const STYLE: &str = include_str!("web/page.css");

/// What was asked for.
pub(crate) struct Wish {
    pub(crate) file: PathBuf,
    pub(crate) base: Option<PathBuf>,
    pub(crate) normalize: bool,
    pub(crate) port: u16,
}

/// What the page can show.
struct Shown {
    new: Recording,
    base: Option<Recording>,
    normalize: bool,
    /// What was computed already, by sample type.
    answers: Mutex<HashMap<usize, Arc<Vec<u8>>>>,
}

/// Serves the page until the process ends.
pub(crate) fn serve(wish: &Wish, say: &dyn Fn(&str)) -> Result<(), String> {
    let new = Recording::load(&wish.file)?;
    let base = wish.base.as_deref().map(Recording::load).transpose()?;
    if let Some(base) = &base {
        same_kind(base, &new, new.kind(None)?)?;
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, wish.port))
        .map_err(|err| format!("cannot listen on 127.0.0.1:{}: {err}", wish.port))?;
    let address = listener.local_addr().map_err(|err| format!("cannot listen: {err}"))?;
    let answers = Mutex::new(HashMap::new());
    let shown = Arc::new(Shown { new, base, normalize: wish.normalize, answers });
    say(&format!("dprofile: http://{address}/ shows {}; Ctrl-C ends it", shown.new.path));
    http::serve(&listener, address.port(), &move |path, query| shown.answer(path, query));
    Ok(())
}

impl Shown {
    /// The answer to a request, with its type.
    fn answer(&self, path: &str, query: &str) -> Option<(&'static str, Arc<Vec<u8>>)> {
        let fixed = |text: &str| Arc::new(text.as_bytes().to_vec());
        match path {
            "/" => Some(("text/html; charset=utf-8", fixed(HTML))),
            "/page.js" => Some(("text/javascript; charset=utf-8", fixed(SCRIPT))),
            "/page.css" => Some(("text/css; charset=utf-8", fixed(STYLE))),
            "/profile.json" => {
                let kind = match query.strip_prefix("type=") {
                    Some(number) => number.parse().ok()?,
                    None => self.new.kind(None).ok()?,
                };
                let is_there = kind < self.new.profile.sample_types.len();
                is_there.then(|| ("application/json", self.profile(kind)))
            }
            _ => None,
        }
    }

    /// One computation at a time: a reload does not start the same again.
    fn profile(&self, kind: usize) -> Arc<Vec<u8>> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let compute = || {
            let data = data(&self.new, self.base.as_ref(), kind, self.normalize);
            let data = data.unwrap_or_else(|line| json!({ "error": line }));
            Arc::new(data.to_string().into_bytes())
        };
        Arc::clone(answers.entry(kind).or_insert_with(compute))
    }
}

/// Everything the page draws, names as numbers.
fn data(
    new: &Recording,
    base: Option<&Recording>,
    kind: usize,
    normalize: bool,
) -> Result<Value, String> {
    let sample = new.value_type(kind).kind.to_string();
    let tree = Tree::of(new, base, Some(&sample), normalize)?;
    let totals = Totals::of(new, kind);
    let mut data = heading::json(new, kind, &totals);
    data["heading"] = heading::lines(new, kind, &totals).lines().next().into();
    data["title"] = tree.title.as_str().into();
    data["kind"] = kind.into();
    data["is_difference"] = tree.is_difference.into();
    let mut names = Interned::default();
    let nodes: Vec<Value> = tree
        .visible(PARTS)
        .into_iter()
        .map(|(start, node)| {
            let name = names.number(&tree.names[node.name as usize]);
            json!([node.depth, name, start, node.value, node.base])
        })
        .collect();
    data["nodes"] = nodes.into();
    let mut row = |name: &str, after: Weight, before: Weight| {
        json!([names.number(name), after.flat, after.cum, before.flat, before.cum])
    };
    let rows: Vec<Value> = match base {
        None => largest(&new.names, &totals.weights)
            .map(|at| row(&new.names[at], totals.weights[at], Weight::default()))
            .collect(),
        Some(base) => {
            let changes = Changes::new(base, new, Some(&sample), normalize)?;
            largest(&changes.names, &changes.change)
                .map(|at| row(&changes.names[at], changes.after[at], changes.before[at]))
                .collect()
        }
    };
    data["functions"] = rows.into();
    data["names"] = names.texts.into();
    Ok(data)
}

/// The functions that are among the largest by themselves or with what they call.
fn largest(names: &[String], weights: &[Weight]) -> impl Iterator<Item = usize> {
    let mut chosen = top::order(names, weights, false);
    chosen.truncate(MOST_FUNCTIONS / 2);
    let mut by_cum = top::order(names, weights, true);
    by_cum.truncate(MOST_FUNCTIONS / 2);
    chosen.extend(by_cum);
    chosen.sort_unstable();
    chosen.dedup();
    chosen.into_iter()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::data;
    use crate::recording::tests::recorded;

    #[test]
    fn the_page_has_all_values() {
        let base = recorded(&["4 main a"]);
        let new = recorded(&["3 main a", "1 main b"]);
        let data = data(&new, Some(&base), 0, false).unwrap();
        expect!["[[0,0,0,4,4],[1,1,0,4,4],[2,2,0,3,4],[2,3,3,1,0]]"]
            .assert_eq(&data["nodes"].to_string());
        expect!["[[2,3,3,4,4],[3,1,1,0,0]]"].assert_eq(&data["functions"].to_string());
        expect![[r#"["all","main","a","b"]"#]].assert_eq(&data["names"].to_string());
    }
}
