//! Split anywhere, over files in any order, a log has the result of the whole.

use dtail_testkit::Scratch;

use crate::dmap;
use crate::generated::{CONFIGURATION, FORMATS, Format, Question, Random};

/// What dmap prints for some files.
#[track_caller]
fn answer(scratch: &Scratch, format: &Format, question: &Question, files: &[String]) -> Vec<u8> {
    let query = format.query(question);
    let mut arguments =
        vec!["--cfg", "c.json", "--quiet", "--output", "jsonl", "--query", query.as_str()];
    arguments.extend(files.iter().map(String::as_str));
    dmap(scratch, &arguments).run().exits(0).stdout_text().into_bytes()
}

/// Asks all questions about `count` records, whole and in `splits` random splits.
#[track_caller]
fn check(format: &Format, count: usize, splits: u64) {
    let scratch = Scratch::new();
    scratch.write("c.json", CONFIGURATION);
    let records = format.records(2, count);
    let lines: Vec<String> = records.iter().map(|record| format.line(record)).collect();
    scratch.write("whole", format.file(&lines));
    let whole = ["whole".to_owned()];
    let expected: Vec<Vec<u8>> =
        format.questions().map(|question| answer(&scratch, format, question, &whole)).collect();
    let mut random = Random(count as u64);
    for split in 0..splits {
        let parts = 2 + random.below(5) as usize;
        let mut piles = vec![Vec::new(); parts];
        for line in &lines {
            piles[random.below(parts as u64) as usize].push(line.clone());
        }
        // Also one that is empty, and the last without its newline.
        piles.push(Vec::new());
        let files: Vec<String> = (0..piles.len()).map(|part| format!("{split}-{part}")).collect();
        for (file, pile) in files.iter().zip(&piles) {
            scratch.write(file, format.file(pile).trim_end_matches('\n'));
        }
        for (question, whole) in format.questions().zip(&expected) {
            let parts = answer(&scratch, format, question, &files);
            assert_eq!(
                String::from_utf8_lossy(whole),
                String::from_utf8_lossy(&parts),
                "{}, split {split}: {:?}",
                format.name,
                question.ours
            );
        }
    }
}

#[test]
fn parts_have_the_result_of_the_whole() {
    for format in &FORMATS {
        check(format, 500, 3);
    }
}

#[test]
fn parts_that_are_read_side_by_side_do_too() {
    for format in &FORMATS {
        check(format, 10_000, 1);
    }
}
