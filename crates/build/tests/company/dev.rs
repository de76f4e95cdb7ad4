//! From an empty folder to a gateway that answers through one's own extension, and answers differently after an edit.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::is_full;
use crate::place::Company;
use crate::tutorial::LIBRARY;

/// From a saved line to a gateway that runs with it.
const EDIT_MAX: Duration = Duration::from_secs(15);

/// A running `cargo xtask dev`.
pub(crate) struct Dev {
    child: Child,
    said: BufReader<ChildStdout>,
    pub(crate) address: String,
}

impl Dev {
    pub(crate) fn start(company: &Company) -> Self {
        let mut command = company.cargo_command();
        let log = File::create(company.root.join("dev.log")).unwrap();
        command
            .args(["xtask", "dev", "--port", "0", "--rate", "0"])
            .stderr(log)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let mut dev = Self { child, said, address: String::new() };
        let line = dev.until("base URL");
        let address = line.split("http://").nth(1).unwrap().trim().trim_end_matches("/v1");
        address.clone_into(&mut dev.address);
        dev.until("route default: request [code-names], response [code-names]");
        dev.until("Ctrl-C ends it");
        dev
    }

    /// Reads what it says up to a line with this text.
    #[track_caller]
    pub(crate) fn until(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.said.read_line(&mut line).unwrap() > 0, "it ended before it said `{text}`");
            if line.contains(text) {
                return line;
            }
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Dev {
    /// It ends its children before it ends.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal("-TERM");
            self.child.wait().ok();
        }
    }
}

/// The answer to a request, or why there is none.
fn ask(address: &str, model: &str, streams: bool) -> Result<String, String> {
    let question = r#"[{"role": "user", "content": "When does Falcon start?"}]"#;
    let body = format!(r#"{{"model": "{model}", "stream": {streams}, "messages": {question}}}"#);
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer gw-dev-key\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let exchange = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(format!("{head}{body}").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = exchange().map_err(|error| error.to_string())?;
    if answer.starts_with("HTTP/1.1 200 ") { Ok(contents(&answer)) } else { Err(answer) }
}

/// The text of an answer, whole or in events.
pub(crate) fn contents(answer: &str) -> String {
    let pieces = answer.split("\"content\":\"").skip(1);
    pieces.map(|rest| rest.split('"').next().unwrap()).collect()
}

/// Asks again and again until it is told to stop; returns how often, and what failed.
fn ask_all_the_time(address: String, stop: Arc<AtomicBool>) -> thread::JoinHandle<(u32, Vec<String>)> {
    thread::spawn(move || {
        let (mut asked, mut failed) = (0, Vec::new());
        while !stop.load(Ordering::Relaxed) {
            asked += 1;
            failed.extend(ask(&address, "echo", false).err());
        }
        (asked, failed)
    })
}

/// What the gateways log goes to `dev.log` in the company's folder.
#[test]
fn from_an_empty_folder_to_an_edit_that_answers_differently() {
    if !is_full() {
        return;
    }
    let company = Company::new("dev");
    let mut dev = Dev::start(&company);
    assert_eq!(ask(&dev.address, "echo", false).unwrap(), "When does the new product start?");
    assert_eq!(ask(&dev.address, "falcon", true).unwrap(), "Project the new product starts in May.");

    let stop = Arc::new(AtomicBool::new(false));
    let asking = ask_all_the_time(dev.address.clone(), Arc::clone(&stop));
    let saved = Instant::now();
    company.edit(LIBRARY, "replace_with(instead)", "replace_with(format!(\"<{instead}>\"))");
    dev.until("serving again");
    let took = saved.elapsed();
    assert_eq!(ask(&dev.address, "falcon", true).unwrap(), "Project <the new product> starts in May.");
    println!("from a saved line to a running gateway: {:.1} s", took.as_secs_f64());
    assert!(took < EDIT_MAX, "{took:?}");

    company.edit(LIBRARY, "use gatewright::prelude::*;", "use gatewright::prelude::*; no Rust");
    dev.until("the gateway of before goes on");
    assert_eq!(ask(&dev.address, "echo", false).unwrap(), "When does <the new product> start?");
    company.edit(LIBRARY, " no Rust", "");
    dev.until("serving again");

    company.edit("gateway.yaml", "request: [code-names] ", "request: [] ");
    dev.until("route default: response [code-names]");

    stop.store(true, Ordering::Relaxed);
    let (asked, failed) = asking.join().unwrap();
    assert!(asked > 10, "clients asked {asked} times meanwhile");
    assert_eq!(failed, [""; 0], "no request of {asked} failed");

    dev.signal("-INT");
    dev.until("ending");
    assert!(dev.child.wait().unwrap().success());
    assert!(TcpStream::connect(&dev.address).is_err(), "nobody listens any more");
}
