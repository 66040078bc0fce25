//! Puts the same load on several sync services, one after the other, and prints a table with ratios.
//!
//! `sync_load [--quick] [--only=FIGURE] NAME=PROGRAM [NAME=PROGRAM]…`: each program is started anew for each measurement, prints
//! `listening on ws://ADDR` and ends with its standard input. Ratios are of the first to each other.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

mod client;
mod measure;
mod service;

use std::error::Error;

use crate::measure::{Kind, Scale};
use crate::service::Service;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// One line of the table.
struct Row {
    what: String,
    unit: &'static str,
    values: Vec<f64>,
}

fn main() -> Outcome<()> {
    let (flags, programs): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|arg| arg.starts_with("--"));
    let scale = if flags.iter().any(|flag| flag == "--quick") { Scale::QUICK } else { Scale::FULL };
    let only = flags.iter().find_map(|flag| flag.strip_prefix("--only="));
    let wanted = |figure: &str| only.is_none_or(|only| only == figure);
    let programs = programs
        .iter()
        .map(|arg| arg.split_once('=').ok_or_else(|| format!("`{arg}` is not NAME=PROGRAM")))
        .collect::<Result<Vec<_>, _>>()?;
    if programs.is_empty() {
        return Err("usage: sync_load [--quick] [--only=signals|publishes|fan-out|barrier|idle] NAME=PROGRAM…".into());
    }
    tg_runner::sync::raise_open_files()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut rows: Vec<Row> = Vec::new();
    for (name, program) in &programs {
        let mut index = 0;
        let mut add = |what: String, unit, value| {
            if index == rows.len() {
                rows.push(Row { what, unit, values: Vec::new() });
            }
            rows[index].values.push(value);
            index += 1;
        };
        for kind in [Kind::Signals, Kind::Publishes] {
            for &(connections, window) in scale.throughput.iter().filter(|_| wanted(kind.name())) {
                eprint_progress(name, kind.name(), connections);
                let service = Service::start(program)?;
                let rate =
                    runtime.block_on(measure::throughput(service.addr, kind, connections, window, scale.time))?;
                let window = if window == 1 { String::new() } else { format!(", {window} under way") };
                add(format!("{}, {}{window}", kind.name(), plural(connections)), "1/s", rate);
            }
        }
        if wanted("fan-out") {
            let (subscribers, items) = scale.fan_out;
            eprint_progress(name, "fan-out", subscribers);
            let service = Service::start(program)?;
            let took = runtime.block_on(measure::fan_out(service.addr, subscribers, items))?;
            let deliveries = (subscribers * items) as f64;
            add(format!("fan-out, 1 topic × {subscribers} subscribers × {items} items"), "1/s", deliveries / took);
        }
        if wanted("barrier") {
            let (waiters, rounds) = scale.barrier;
            eprint_progress(name, "barrier", waiters);
            let service = Service::start(program)?;
            let mut last = runtime.block_on(measure::barrier(service.addr, waiters, rounds))?;
            last.sort_by(f64::total_cmp);
            for (label, share) in [("p50", 0.50), ("p99", 0.99)] {
                let what = format!("barrier, last signal to last of {waiters} released, {label} of {rounds}");
                add(what, "ms", 1000.0 * measure::quantile(&last, share));
            }
        }
        if wanted("idle") {
            eprint_progress(name, "idle", scale.idle);
            let service = Service::start(program)?;
            let each = runtime.block_on(measure::idle_bytes(&service, scale.idle))?;
            add(format!("resident memory per idle connection, of {}", scale.idle), "KiB", each / 1024.0);
        }
    }
    print_table(&programs, &rows);
    Ok(())
}

#[expect(clippy::print_stderr, reason = "progress is no part of the table")]
fn eprint_progress(name: &str, what: &str, size: usize) {
    eprintln!("{name}: {what}, {size}");
}

fn plural(connections: usize) -> String {
    if connections == 1 { "1 connection".to_owned() } else { format!("{connections} connections") }
}

fn print_table(programs: &[(&str, &str)], rows: &[Row]) {
    let names: Vec<_> = programs.iter().map(|&(name, _)| name).collect();
    let ratios: Vec<_> = names.iter().skip(1).map(|name| format!("{}/{name}", names[0])).collect();
    let head: Vec<_> = names.iter().map(|&name| name.to_owned()).chain(ratios).collect();
    println!("| figure | unit | {} |", head.join(" | "));
    println!("|---|---|{}", "---:|".repeat(head.len()));
    for Row { what, unit, values } in rows {
        let ratios = values.iter().skip(1).map(|other| format!("{:.2}", values[0] / other));
        let cells: Vec<_> = values.iter().map(|value| number(*value)).chain(ratios).collect();
        println!("| {what} | {unit} | {} |", cells.join(" | "));
    }
}

fn number(value: f64) -> String {
    if value < 1000.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}
