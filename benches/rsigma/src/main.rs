//! rsigma-peer MODE RULES EVENTS HITS - flat JSON events through rsigma.
//!
//! Prints the CPU seconds of reading the JSON and asking the rules, without reading files and
//! loading rules, and writes one line "id<TAB>number of the event" for every hit.
//! MODE: plain, bloom (rsigma's set_bloom_prefilter) or index (its set_cross_rule_ac).

use std::error::Error;
use std::fmt::Write as _;
use std::fs;

use rsigma_eval::{Engine, JsonEvent};
use rsigma_parser::parse_sigma_yaml;
use serde_json::Value;

/// CPU time of this process in seconds.
fn cpu_seconds() -> f64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `t` is a timespec that the call fills.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut t) };
    t.tv_sec as f64 + t.tv_nsec as f64 / 1e9
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, mode, rules, events, hits] = arguments.as_slice() else {
        return Err("usage: rsigma-peer plain|bloom|index RULES EVENTS HITS".into());
    };
    let mut engine = Engine::new();
    let mut files: Vec<_> = fs::read_dir(rules)?.collect::<Result<Vec<_>, _>>()?;
    files.sort_by_key(|f| f.path());
    let mut all = Vec::new();
    for file in &files {
        let collection = parse_sigma_yaml(&fs::read_to_string(file.path())?)?;
        if let Some(e) = collection.errors.first() {
            return Err(format!("{}: {e}", file.path().display()).into());
        }
        all.extend(collection.rules);
    }
    if let Some((at, e)) = engine.add_rules(&all).first() {
        return Err(format!("rule {at}: {e}").into());
    }
    match mode.as_str() {
        "plain" => {}
        "bloom" => engine.set_bloom_prefilter(true),
        "index" => engine.set_cross_rule_ac(true),
        _ => return Err("no such mode".into()),
    }
    let text = fs::read_to_string(events)?;
    let mut out = String::new();
    let mut count = 0usize;
    let before = cpu_seconds();
    for (number, line) in text.lines().enumerate() {
        let value: Value = serde_json::from_str(line)?;
        for hit in engine.evaluate(&JsonEvent::borrow(&value)) {
            writeln!(out, "{}\t{}", hit.header.rule_id.as_deref().unwrap_or(""), number)?;
        }
        count += 1;
    }
    let used = cpu_seconds() - before;
    fs::write(hits, out)?;
    println!("{used} {count} {}", engine.rule_count());
    Ok(())
}
