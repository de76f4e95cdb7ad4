//! Plays steps outside of an HTTP body: before the head of an answer, and on a bare socket.

use std::io;
use std::ops::ControlFlow;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until};

use super::connection::{Control, Socket, TakeOver};
use super::record::Outcome;
use super::script::Step;

/// Plays what comes before a head: waits, or the end of the connection (`Break`).
pub(super) async fn play_before_head(steps: &[Step], control: &Control) -> ControlFlow<()> {
    let mut due = Instant::now();
    for step in steps {
        match step {
            Step::Send { .. } | Step::Flush => {}
            Step::Wait(_) | Step::WaitFor(_) | Step::Stall => wait(step, &mut due).await,
            Step::Reset => {
                control.reset_on_close();
                return ControlFlow::Break(());
            }
            Step::Close => return ControlFlow::Break(()),
        }
    }
    ControlFlow::Continue(())
}

/// Plays a script on a socket that HTTP has let go of, then closes it.
pub(super) async fn play_on_socket(mut socket: Socket, mut script: TakeOver) {
    let control = socket.control();
    let (mut reader, mut writer) = tokio::io::split(&mut socket);
    let outcome = tokio::select! {
        _ = drained(&mut reader) => Outcome::ClientLeft(Instant::now()),
        written = write_all(&mut writer, &script, &control) => match written {
            Ok(outcome) => outcome,
            Err(_) => Outcome::ClientLeft(Instant::now()),
        },
    };
    script.exchange.end(outcome);
}

async fn write_all<W>(writer: &mut W, script: &TakeOver, control: &Control) -> io::Result<Outcome>
where
    W: tokio::io::AsyncWrite + Unpin,
{
    let mut due = Instant::now();
    for step in &script.steps {
        match step {
            Step::Send { bytes, tokens } => {
                writer.write_all(bytes).await?;
                script.exchange.charge_completion(*tokens);
            }
            Step::Flush => writer.flush().await?,
            Step::Wait(_) | Step::WaitFor(_) | Step::Stall => wait(step, &mut due).await,
            Step::Reset => {
                control.reset_on_close();
                return Ok(Outcome::Broken);
            }
            Step::Close => return Ok(Outcome::Broken),
        }
    }
    writer.shutdown().await?;
    Ok(Outcome::Answered)
}

async fn wait(step: &Step, due: &mut Instant) {
    match step {
        Step::Wait(time) => {
            *due += *time;
            sleep_until(*due).await;
        }
        Step::WaitFor(gate) => {
            gate.clone().pass().await;
            *due = Instant::now();
        }
        Step::Stall => std::future::pending().await,
        Step::Send { .. } | Step::Flush | Step::Reset | Step::Close => {}
    }
}

/// Reads until the client closes its side.
async fn drained<R: tokio::io::AsyncRead + Unpin>(reader: &mut R) -> io::Result<()> {
    let mut discarded = [0; 1024];
    while reader.read(&mut discarded).await? > 0 {}
    Ok(())
}
