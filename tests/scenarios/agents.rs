//! Coding agents, run without a terminal and without their vendors' servers, against models of other protocols than
//! theirs: a model that calls a tool of the agent, reads what it brought, and answers.
//!
//! Where the agents are not installed the scenario returns early: `cargo xtask test --full` installs them.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use gatewright_testkit::harness::{CALLER_KEY, Gateway};
use gatewright_testkit::provider::SimulatedProvider;
use serde_json::json;
use tokio::process::Command;

use crate::clients::{PROVIDERS, provider_plan, told};

/// What stands in the file that the agent is to read, and nowhere else.
const SECRET: &str = "the secret word is marmalade";
const ANSWER: &str = "I have read the note.";

/// A folder with a file, and a gateway with a model at each provider protocol that has it read by the agent.
struct Desk {
    folder: tempfile::TempDir,
    provider: SimulatedProvider,
    gateway: Gateway,
}

impl Desk {
    /// The model calls `tool` with these arguments, of the path of the file.
    async fn new(tool: &str, arguments: impl FnOnce(&Path) -> serde_json::Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let note = folder.path().join("note.txt");
        std::fs::write(&note, SECRET).unwrap();
        let arguments = arguments(&note).to_string();
        let model = format!("sim?call={tool}&arguments={}&text={}", escaped(&arguments), escaped(ANSWER));
        let provider = SimulatedProvider::start().await;
        let mut builder = Gateway::builder().provider("simulated", &provider);
        builder = builder.set("/routes/0/match/path", json!("/*"));
        for plan in PROVIDERS {
            let name = plan.0;
            builder = builder
                .set(&format!("/providers/{name}"), provider_plan(&plan, &provider))
                .model(&format!("agent-{name}"), &json!([{"provider": name, "model": model}]));
        }
        let gateway = builder.start().await;
        Self { folder, provider, gateway }
    }

    /// Runs an agent in the folder, which is its home too. It tells the model what stands in the file, and its user what
    /// the model says.
    async fn check(&self, mut agent: Command, model: &str) {
        let before = self.provider.requests().len();
        agent
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = agent.output().await.unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let lines = self.gateway.access_lines();
        assert!(output.status.success(), "{model}: {said}\n{lines:?}");
        assert!(said.contains(ANSWER), "{model}: {said}\n{lines:?}");
        let requests = self.provider.requests();
        let told =
            requests[before..].iter().any(|request| String::from_utf8_lossy(&request.body).contains(SECRET));
        assert!(told, "{model}: {said}\n{lines:?}");
    }
}

/// A value of a simulated model's name.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn installed(program: &str) -> Option<PathBuf> {
    let modules = told("GATEWRIGHT_AGENTS")?;
    let program = modules.join(program);
    program.exists().then_some(program)
}

#[expect(clippy::print_stdout, reason = "says why nothing was tested")]
fn skipped() {
    println!("skipped: GATEWRIGHT_AGENTS does not say where the agents are; `cargo xtask test --full` does");
}

#[tokio::test]
async fn claude_code_reads_a_file_for_a_model_of_any_protocol() {
    let Some(program) = installed("@anthropic-ai/claude-code/cli-wrapper.cjs") else { return skipped() };
    let desk = Desk::new("Read", |note| json!({"file_path": note})).await;
    for (name, ..) in PROVIDERS {
        let model = format!("agent-{name}");
        let mut agent = Command::new("node");
        agent
            .arg(&program)
            .args(["-p", "What does note.txt say?", "--allowedTools", "Read", "--model", &model])
            .env("ANTHROPIC_BASE_URL", desk.gateway.base_url().trim_end_matches("/v1"))
            .env("ANTHROPIC_AUTH_TOKEN", CALLER_KEY)
            .env_remove("ANTHROPIC_API_KEY")
            .env("ANTHROPIC_SMALL_FAST_MODEL", &model)
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
        desk.check(agent, &model).await;
    }
}

#[tokio::test]
async fn codex_reads_a_file_for_a_model_of_any_protocol() {
    let Some(program) = installed("@openai/codex/bin/codex.js") else { return skipped() };
    let desk = Desk::new("exec_command", |note| json!({"cmd": format!("cat {}", note.display())})).await;
    let provider = format!(
        r#"model_providers.gateway={{name="gateway",base_url="{}",env_key="GATEWRIGHT_KEY",wire_api="responses"}}"#,
        desk.gateway.base_url()
    );
    for (name, ..) in PROVIDERS {
        let model = format!("agent-{name}");
        let mut agent = Command::new("node");
        agent
            .arg(&program)
            .args(["exec", "--skip-git-repo-check", "--sandbox", "danger-full-access", "--model", &model])
            .args(["-c", "model_provider=gateway", "-c", &provider, "What does note.txt say?"])
            .env("CODEX_HOME", desk.folder.path())
            .env("GATEWRIGHT_KEY", CALLER_KEY);
        desk.check(agent, &model).await;
    }
}
