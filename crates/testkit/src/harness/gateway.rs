//! A running gateway, and everything that a test can ask of it from outside.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use bytes::Bytes;
use gatewright_store::{Durability, Ledger, LedgerPlace, LedgerSettings, UsageRow};
use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use super::client::{self, Request};
use super::configuration::{self, CALLER_KEY, GatewayBuilder};
use super::metrics::Scrape;
use super::process::Process;
use super::wait::eventually;
use crate::provider::SimulatedProvider;

/// The most records that a test reads at once.
const RECORDS_MAX: u32 = 10_000;
/// What the gateway is told to read.
const CONFIGURATION: &str = "gateway.yaml";
/// The access line's target in the log.
const ACCESS: &str = "gatewright::access";
/// What of the log is shown when a test fails.
const LOG_LINES_SHOWN: usize = 40;

/// A gateway in a process and a folder of its own. Both end with it.
#[derive(Debug)]
pub struct Gateway {
    process: Process,
    builder: GatewayBuilder,
    address: SocketAddr,
    admin: SocketAddr,
    folder: TempDir,
}

impl Gateway {
    /// A gateway that has one key and one route, and neither models nor providers.
    pub fn builder() -> GatewayBuilder {
        GatewayBuilder::new()
    }

    /// A gateway that is configured by these files; a later one is laid over an earlier one. It listens on free ports
    /// and keeps its records in a folder of its own. The listener `public` is the one that requests go to.
    ///
    /// # Panics
    /// If a path is relative and the current folder is not known.
    pub fn configured_by(files: impl IntoIterator<Item = impl AsRef<Path>>) -> GatewayBuilder {
        GatewayBuilder::over(files)
    }

    /// A gateway that serves the model `small` at this provider, at 1 and 2 dollars for a million tokens.
    pub fn in_front_of(provider: &SimulatedProvider) -> GatewayBuilder {
        let price = json!({"input": 1.0, "output": 2.0});
        let targets = json!([{"provider": "simulated", "price": price}]);
        Self::builder().provider("simulated", provider).model("small", &targets)
    }

    pub(super) async fn start(builder: GatewayBuilder) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        for (name, content) in &builder.files {
            configuration::write(&folder.path().join(name), content);
        }
        configuration::write_down(&folder.path().join(CONFIGURATION), &builder.configuration);
        let process = serve(&builder, folder.path());
        // Until it says where it listens.
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut gateway = Self { process, builder, address: nowhere, admin: nowhere, folder };
        gateway.wait_until_ready().await;
        gateway
    }

    // === Its life ===

    /// Starts the process again in the same folder, with the configuration that lies there. One that still runs is
    /// killed.
    ///
    /// # Panics
    /// If it does not become ready.
    ///
    /// # Cancellation
    /// The process is killed with its owner.
    pub async fn restart(&mut self) {
        self.launch();
        self.wait_until_ready().await;
    }

    /// Starts the process again without waiting until it is ready.
    pub fn launch(&mut self) {
        self.process = serve(&self.builder, self.folder.path());
    }

    /// Waits until it listens and says that it is ready.
    ///
    /// # Panics
    /// If it ends, or does not become ready.
    ///
    /// # Cancellation
    /// Nothing changes.
    pub async fn wait_until_ready(&mut self) {
        let lines = eventually("the line that says that the gateway listens", async || {
            let lines = self.process.log_lines();
            let is_ready = lines.iter().any(|line| line["message"] == "Ready");
            assert!(is_ready || !self.process.has_ended(), "the gateway ended: {}", self.process.log());
            is_ready.then_some(lines)
        })
        .await;
        self.address = address_in(&lines, "url");
        self.admin = address_in(&lines, "admin");
        eventually("readiness", async || self.is_ready().await.then_some(())).await;
    }

    /// Sends a signal by name, such as `TERM`.
    ///
    /// # Panics
    /// If the process is gone.
    ///
    /// # Cancellation
    /// The signal may or may not be sent.
    pub async fn signal(&self, name: &str) {
        self.process.signal(name).await;
    }

    /// Waits for the end of the process.
    ///
    /// # Panics
    /// If it goes on.
    ///
    /// # Cancellation
    /// Nothing changes.
    pub async fn ended(&mut self) -> ExitStatus {
        self.process.ended().await
    }

    /// Whether the process runs.
    pub fn is_running(&mut self) -> bool {
        !self.process.has_ended()
    }

    /// The id of the process, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    // === Its configuration ===

    /// Puts a value at a JSON pointer of the configuration and writes the file.
    pub fn reconfigure(&mut self, pointer: &str, value: Value) {
        self.reconfigure_all([(pointer, value)]);
    }

    /// Puts values at several JSON pointers and writes the file once.
    pub fn reconfigure_all<'p>(&mut self, changes: impl IntoIterator<Item = (&'p str, Value)>) {
        for (pointer, value) in changes {
            configuration::set(&mut self.builder.configuration, pointer, value);
        }
        self.write_configuration();
    }

    /// Writes this text in place of the configuration.
    pub fn write_text(&self, text: &str) {
        configuration::write(&self.configuration_path(), text);
    }

    /// Writes the configuration as it is known to the test, in place of whatever lies there.
    pub fn write_configuration(&self) {
        configuration::write_down(&self.configuration_path(), &self.builder.configuration);
    }

    /// The configuration as it is known to the test.
    pub fn configuration(&self) -> &Value {
        &self.builder.configuration
    }

    /// The file that the gateway reads.
    pub fn configuration_path(&self) -> PathBuf {
        self.folder.path().join(CONFIGURATION)
    }

    /// The folder that the gateway runs in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until the configuration in use is at least this generation; the one of the start is the first.
    ///
    /// # Panics
    /// If it does not come.
    ///
    /// # Cancellation
    /// Nothing changes.
    pub async fn wait_for_generation(&self, generation: u64) {
        let what = format!("generation {generation} of the configuration");
        eventually(&what, async || {
            let found = self.metrics().await.count("gatewright_configuration_generation", &[]);
            (found >= generation).then_some(())
        })
        .await;
    }

    // === Requests ===

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where operators connect.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// The base URL for client libraries.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// A request with the caller's key.
    pub fn request(&self, method: Method, target: &str) -> Request {
        Request::new(self.address, method, target).key(CALLER_KEY)
    }

    /// A `GET` with the caller's key.
    pub fn get(&self, target: &str) -> Request {
        self.request(Method::GET, target)
    }

    /// A `POST` of this text with the caller's key.
    pub fn post(&self, target: &str, body: impl Into<Bytes>) -> Request {
        self.request(Method::POST, target).body(body)
    }

    /// A chat request with the caller's key.
    pub fn chat(&self, body: &Value) -> Request {
        self.post("/v1/chat/completions", body.to_string())
    }

    /// Sends these bytes on a connection of their own and returns what comes back until it is closed.
    ///
    /// # Panics
    /// If nobody listens, or the gateway does not close it.
    ///
    /// # Cancellation
    /// The connection is closed.
    pub async fn raw(&self, bytes: &[u8]) -> String {
        let answer = client::raw(self.address, bytes).await.expect("the gateway listens");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// A `GET` at the admin listener.
    pub fn admin(&self, target: &str) -> Request {
        Request::new(self.admin, Method::GET, target)
    }

    /// Whether it says that it is ready; nobody who listens is not.
    pub async fn is_ready(&self) -> bool {
        const QUESTION: &[u8] = b"GET /readyz HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n";
        client::raw(self.admin, QUESTION).await.is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 200"))
    }

    // === What it says of itself ===

    /// The metrics at this moment.
    pub async fn metrics(&self) -> Scrape {
        let answer = self.admin("/metrics").send().await.whole().await;
        Scrape(String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// Everything that it logged since it was started last.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Waits for a log line.
    ///
    /// # Panics
    /// If it does not come.
    ///
    /// # Cancellation
    /// Nothing changes.
    pub async fn log_line(&self, what: &str, is_meant: impl Fn(&Value) -> bool) -> Value {
        eventually(what, async || self.process.log_lines().into_iter().find(|line| is_meant(line))).await
    }

    /// The access lines so far.
    pub fn access_lines(&self) -> Vec<Value> {
        let lines = self.process.log_lines().into_iter();
        lines.filter(|line| line["target"] == ACCESS).collect()
    }

    /// Waits for the access line of an exchange.
    ///
    /// # Panics
    /// If it does not come.
    ///
    /// # Cancellation
    /// Nothing changes.
    pub async fn access_line(&self, id: &str) -> Value {
        let is_meant = |line: &Value| line["target"] == ACCESS && line["id"] == id;
        self.log_line(&format!("the access line of {id}"), is_meant).await
    }

    /// All usage records, oldest first; beyond ten thousand the oldest are left out.
    ///
    /// # Panics
    /// If the ledger cannot be read.
    ///
    /// # Cancellation
    /// Nothing changes.
    pub async fn records(&self) -> Vec<UsageRow> {
        self.newest_records(RECORDS_MAX).await
    }

    /// The newest usage records, oldest first.
    ///
    /// # Panics
    /// If the ledger cannot be read.
    ///
    /// # Cancellation
    /// Nothing changes.
    pub async fn newest_records(&self, count: u32) -> Vec<UsageRow> {
        let mut records = self.ledger().recent(count).await.expect("the ledger can be read");
        records.reverse();
        records
    }

    /// Waits until an exchange has a record of its last attempt, and returns the records of all its attempts.
    ///
    /// # Panics
    /// If there is none.
    ///
    /// # Cancellation
    /// Nothing changes.
    pub async fn attempts(&self, id: &str) -> Vec<UsageRow> {
        let attempts = self.access_line(id).await["attempts"].as_u64().expect("a line counts attempts");
        let ledger = self.ledger();
        eventually(&format!("{attempts} records of {id}"), async || {
            let records = ledger.by_request(id).await.expect("the ledger can be read");
            (u64::try_from(records.len()) == Ok(attempts)).then_some(records)
        })
        .await
    }

    /// Waits for the one record of an exchange.
    ///
    /// # Panics
    /// If there is none, or more than one.
    ///
    /// # Cancellation
    /// Nothing changes.
    pub async fn record(&self, id: &str) -> UsageRow {
        let mut records = self.attempts(id).await;
        assert_eq!(records.len(), 1, "one attempt: {records:?}");
        records.remove(0)
    }

    /// Opened anew for each question, so that it never keeps a file that was replaced.
    fn ledger(&self) -> Ledger {
        let place = LedgerPlace::File(self.folder.path().join("gatewright.db"));
        Ledger::open(place, Durability::None, &LedgerSettings::default()).expect("the ledger can be opened")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.process.log();
            let lines: Vec<&str> = log.lines().collect();
            let shown = lines.get(lines.len().saturating_sub(LOG_LINES_SHOWN)..).unwrap_or_default();
            #[expect(clippy::print_stderr, reason = "whoever reads why a test failed wants the log")]
            {
                eprintln!("--- the gateway's log ends with\n{}\n---", shown.join("\n"));
            }
        }
    }
}

fn serve(builder: &GatewayBuilder, folder: &Path) -> Process {
    let mut command = Command::new(builder.binary_path());
    command.arg("serve").envs(builder.environment.iter().map(|(name, value)| (name, value)));
    for file in builder.bases.iter().map(PathBuf::as_path).chain([Path::new(CONFIGURATION)]) {
        command.arg("--config").arg(file);
    }
    match &builder.socket {
        Some(socket) => {
            let socket = OwnedFd::from(socket.try_clone().expect("a socket can be cloned"));
            command.arg("--socket-on-stdin").stdin(socket);
        }
        None => {
            command.stdin(Stdio::null());
        }
    }
    Process::start(command, folder)
}

/// The first address under this name in the log.
fn address_in(lines: &[Value], name: &str) -> SocketAddr {
    let said = lines.iter().find_map(|line| line[name].as_str()).expect("the log names the listeners");
    let (_, address) = said.rsplit_once('/').unwrap_or(("", said));
    address.parse().expect("a listener has an address")
}
