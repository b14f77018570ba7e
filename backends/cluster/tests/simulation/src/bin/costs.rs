//! What the protocol costs in clusters of several sizes: a table.
//!
//! `costs [--nodes 3,5,10,30,100] [--sessions 100000]`

use std::process::ExitCode;

use abide_simulation::costs::{costs, table};

const USAGE: &str = "usage: costs [--nodes 3,5,10,30,100] [--sessions 100000]";

fn weigh(work: &mut dyn FnMut()) -> i64 {
    allocation_counter::measure(work).bytes_current
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<(Vec<usize>, usize), String> {
    let (mut nodes, mut sessions) = (vec![3, 5, 10, 30, 100], 100_000);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value\n{USAGE}"))?;
        let number = |text: &str| text.parse().map_err(|_| format!("{name} is {text:?}, expected a number"));
        match name.as_str() {
            "--nodes" => nodes = value.split(',').map(number).collect::<Result<_, _>>()?,
            "--sessions" => sessions = number(&value)?,
            _ => return Err(format!("{name} is not known\n{USAGE}")),
        }
    }
    if nodes.iter().any(|nodes| !(2..=250).contains(nodes)) || sessions == 0 {
        return Err(format!("clusters have 2 to 250 nodes and some sessions\n{USAGE}"));
    }
    Ok((nodes, sessions))
}

fn main() -> ExitCode {
    let (nodes, sessions) = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    let mut all = Vec::new();
    for nodes in nodes {
        eprintln!("{nodes} nodes");
        all.push(costs(nodes, sessions, 16_384, weigh));
    }
    println!("{}", table(&all));
    ExitCode::SUCCESS
}
