//! What a query would do: its steps, the log format, and which fields the beginning of the first
//! file has. Never runs the query.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dtail_client::{Event, ReportPolicy, Settings, start_local};
use dtail_protocol::{Mode, Request};
use dtail_query::LogFormat;

use crate::plan::Plan;
use crate::runs;

/// So much of the first file is looked at.
const SAMPLE: usize = 1 << 20;
/// Longer examples are cut.
const EXAMPLE: usize = 40;

/// The explanation as printed. The error is one line.
pub(crate) fn of(plan: &Plan) -> Result<Vec<u8>, String> {
    let Some(query) = &plan.query else { return Ok(Vec::new()) };
    let Settings { default_log_format, user_formats, .. } = &plan.settings;
    let format = LogFormat::choose(query, default_log_format, user_formats)
        .map_err(|err| err.to_string())?;
    let mut lines: Vec<String> =
        plan.warnings.iter().map(|warning| format!("warning: {warning}")).collect();
    lines.extend(query.explain(&format));
    match plan.request.files.first() {
        _ if plan.remote.is_some() => lines.push("fields: not looked at on hosts".to_owned()),
        Some(file) if file != "-" => lines.extend(fields(plan, file, &format)?),
        _ => lines.push("fields: not looked at on standard input".to_owned()),
    }
    Ok((lines.join("\n") + "\n").into_bytes())
}

/// The fields of the first lines of a file, in the order of their first appearance.
fn fields(plan: &Plan, file: &std::ffi::OsStr, format: &LogFormat) -> Result<Vec<String>, String> {
    let (source, sample) = sample(plan, file)?;
    let Some(source) = source else {
        return Ok(vec![format!("fields: nothing to read in {}", file.display())]);
    };
    let mut names: Vec<(String, u64, String)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut records = 0;
    let mut lines = runs::lines(&sample);
    // The first line of some formats has the names of what the others have by numbers.
    let header = match format.has_header() {
        true => lines.next().map(|line| format.fields_of(line)).unwrap_or_default(),
        false => Vec::new(),
    };
    for line in lines {
        records += 1;
        for (index, (name, value)) in format.fields_of(line).into_iter().enumerate() {
            let name = header.get(index).map_or(name, |(_, title)| title.clone());
            let place = *places.entry(name.clone()).or_insert_with(|| {
                names.push((name, 0, value));
                names.len() - 1
            });
            names[place].1 += 1;
        }
    }
    let mut lines = vec![format!("fields in {records} lines of {source}:")];
    let width = names.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or_default();
    for (name, count, example) in names {
        let share = count * 100 / records.max(1);
        lines.push(format!("  {name:width$}  {share:3}%  {}", shortened(&example)));
    }
    Ok(lines)
}

/// The beginning of a file, read as every tool reads it.
fn sample(plan: &Plan, file: &std::ffi::OsStr) -> Result<(Option<Arc<str>>, Vec<u8>), String> {
    let request = Request::of(Mode::Cat, vec![file.to_owned()]).plain();
    let request =
        Request { extras: dtail_protocol::Extras { paths: true, ..request.extras }, ..request };
    let settings = Settings { passes_files: false, ..plan.settings.clone() };
    let cancel = Arc::new(AtomicBool::new(false));
    let run = start_local(request, settings, ReportPolicy::FinalOnly, Arc::clone(&cancel))
        .map_err(|err| err.to_string())?;
    let (mut source, mut bytes) = (None, Vec::new());
    for event in run.events() {
        match event {
            Event::Lines(lines) => {
                // A glob may name several files.
                let known = source.get_or_insert_with(|| Arc::clone(&lines.block.source));
                if *known != lines.block.source {
                    break;
                }
                bytes.extend_from_slice(&lines.block.bytes);
            }
            Event::Diagnostic(diagnostic) => return Err(diagnostic.diagnostic.text),
            _ => {}
        }
        if bytes.len() >= SAMPLE {
            break;
        }
    }
    cancel.store(true, Ordering::SeqCst);
    run.finish().map_err(|err| err.to_string())?;
    bytes.truncate(SAMPLE);
    // The last line may have been cut.
    let whole = memchr::memrchr(b'\n', &bytes).map_or(bytes.len(), |end| end + 1);
    bytes.truncate(whole);
    Ok((source, bytes))
}

fn shortened(text: &str) -> String {
    let plain = |letter: char| if letter.is_control() { '\u{fffd}' } else { letter };
    let mut letters = text.chars().map(plain);
    let mut short: String = letters.by_ref().take(EXAMPLE).collect();
    if letters.next().is_some() {
        short.push('\u{2026}');
    }
    short
}
