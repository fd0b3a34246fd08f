//! `gradus serve FILE`: a server of the model.

use std::net::{IpAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use gradus_serve::{Bounds, Server, is_name, name_of, preparation};
use lexopt::{Arg, Parser, ValueExt};

use super::{Failure, Result, failed, load, number, print};

const HELP: &str = "\
Usage: gradus serve FILE [OPTIONS]

Answers TensorFlow Serving's REST interface until SIGTERM or Ctrl-C:
  POST /v1/models/NAME:predict       {\"instances\": [..]} or {\"inputs\": ..}
  GET  /v1/models/NAME[/metadata]    state; inputs and outputs
  GET  /                             a page to try the model on
  GET  /healthz, /metrics            for monitors

Options:
  --name NAME         the name in the addresses           [the file's, without its ending]
  --host ADDRESS      the address to listen at            [127.0.0.1: this machine alone]
  --port PORT         the port; 0 is any free one         [8501]
  --batch N           the most samples of a batch         [64]
  --delay MS          how long a request waits for others [0]
  --group N           samples predicted at once; the last bits of answers depend on it,
                      and with 1 they are those of each sample alone  [1]
  --queue N           the most requests that wait         [1024]
  --connections N     the most connections                [1024, or what open files allow]
  --body-limit MIB    the largest body of a request       [32]
  --memory MIB        what all requests take together     [256]
  --most-samples N    the most samples of a request       [what has room]
  --longest N         the longest free axis               [4096]
  --timeout S         how long a request may wait and be computed             [30]
  --patience S,S      how long its head, and its body or answer, may be on the way [10,30]
  --stop-within S     how long a stop may take            [10]
  --allow-host NAME   a host that requests may name, such as a proxy's; once for each.
                      At 127.0.0.1 others than localhost are refused, or are not with *

RAYON_NUM_THREADS says how many threads compute.
";

pub(super) fn run(mut arguments: Parser, mut file: Option<PathBuf>) -> Result<()> {
    let (mut name, mut host, mut port) = (None, "127.0.0.1".to_owned(), 8501_u16);
    let mut bounds = Bounds::default();
    // Options are given to the server when it is there: the model comes last.
    let mut options: Vec<Box<dyn FnOnce(Server) -> Server>> = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("name") => {
                let text = arguments.value()?.string()?;
                if !is_name(&text) {
                    return Err(Failure::Usage(format!("--name {text:?}: letters, digits, _, - and . make a name")));
                }
                name = Some(text);
            }
            Arg::Long("host") => host = arguments.value()?.string()?,
            Arg::Long("port") => port = number(&mut arguments, "--port", 0)?,
            Arg::Long("batch") => {
                let samples = number(&mut arguments, "--batch", 1)?;
                options.push(Box::new(move |server| server.batch(samples)));
            }
            Arg::Long("delay") => {
                let delay: f64 = number(&mut arguments, "--delay", 0.0)?;
                if delay > 60_000.0 {
                    return Err(Failure::Usage(format!("--delay {delay}: it must be at most 60000 milliseconds")));
                }
                options.push(Box::new(move |server| server.delay(Duration::from_secs_f64(delay / 1000.0))));
            }
            Arg::Long("group") => {
                let samples = number(&mut arguments, "--group", 1)?;
                options.push(Box::new(move |server| server.group(samples)));
            }
            Arg::Long("queue") => {
                let requests = number(&mut arguments, "--queue", 1)?;
                options.push(Box::new(move |server| server.queue(requests)));
            }
            Arg::Long("connections") => {
                let most = number(&mut arguments, "--connections", 1)?;
                options.push(Box::new(move |server| server.connections(most)));
            }
            Arg::Long("body-limit") => {
                let mebibytes: usize = number(&mut arguments, "--body-limit", 1)?;
                options.push(Box::new(move |server| server.body_limit(mebibytes.saturating_mul(1 << 20))));
            }
            Arg::Long("memory") => {
                let mebibytes: usize = number(&mut arguments, "--memory", 1)?;
                options.push(Box::new(move |server| server.memory(mebibytes.saturating_mul(1 << 20))));
            }
            Arg::Long("timeout") => {
                let time = seconds("--timeout", &arguments.value()?.string()?)?;
                options.push(Box::new(move |server| server.timeout(time)));
            }
            Arg::Long("patience") => {
                let text = arguments.value()?.string()?;
                let (head, body) = text.split_once(',').unwrap_or((&text, &text));
                let (head, body) = (seconds("--patience", head)?, seconds("--patience", body)?);
                options.push(Box::new(move |server| server.patience(head, body)));
            }
            Arg::Long("stop-within") => {
                let time = seconds("--stop-within", &arguments.value()?.string()?)?;
                options.push(Box::new(move |server| server.stop_within(time)));
            }
            Arg::Long("allow-host") => {
                let host = arguments.value()?.string()?;
                if host.is_empty() {
                    return Err(Failure::Usage("--allow-host: the name is empty".to_owned()));
                }
                options.push(Box::new(move |server| server.allow_host(host)));
            }
            Arg::Long("most-samples") => bounds.samples = number(&mut arguments, "--most-samples", 1)?,
            Arg::Long("longest") => bounds.length = number(&mut arguments, "--longest", 1)?,
            Arg::Long("help") | Arg::Short('h') => return print(HELP),
            Arg::Value(value) if file.is_none() => file = Some(value.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    let file = file.ok_or_else(|| Failure::Usage("serve: there is no FILE".to_owned()))?;
    let name = name.unwrap_or_else(|| name_of(&file));
    let model = load(&file)?;
    let given = match (preparation(&model).map_err(failed)?, model.preprocessing()) {
        (Some(preparation), _) => {
            let columns: Vec<String> = preparation.columns().iter().map(|(name, _)| format!("{name:?}")).collect();
            format!("rows of a table, with the columns {}", columns.join(", "))
        }
        (None, Some(_)) => "raw data, which the model's preprocessing prepares".to_owned(),
        (None, None) => "prepared data: the model has no preprocessing".to_owned(),
    };
    let server = Server::new(model).name(&name).bounds(bounds);
    let server = options.into_iter().fold(server, |server, option| option(server));
    // A name of the loopback that was asked for may be asked by.
    let is_name = host.parse::<IpAddr>().is_err();
    let mut found = (&*host, port).to_socket_addrs().into_iter().flatten();
    let server =
        if is_name && found.all(|address| address.ip().is_loopback()) { server.allow_host(&host) } else { server };
    let bound = server.bind((&*host, port)).map_err(|error| failed(format!("{host}, port {port}: {error}")))?;
    let address = bound.address();
    print(&format!(
        "{name}: http://{address}/v1/models/{name}:predict\nA page to try it on: http://{address}/\nRequests give {given}.\n"
    ))?;
    bound.run().map_err(failed)
}

/// A time in seconds that is longer than none.
fn seconds(name: &str, text: &str) -> Result<Duration> {
    let seconds = text.trim().parse().ok().filter(|&seconds| seconds > 0.0);
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.ok_or_else(|| Failure::Usage(format!("{name} {text:?}: give seconds, more than 0")))
}
