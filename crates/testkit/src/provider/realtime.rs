//! The realtime endpoint: a WebSocket on which the provider answers events with events.
//!
//! The model name says what a response is, and what goes wrong in it, as it does for streams. A response that asks for
//! the modality `audio` speaks as well: each piece of text comes with a piece of sound.

use std::io;
use std::time::Duration;

use gatewright_wire::web_socket::{Close, Decoder, Kind, Masking, Offer, Unit, write, write_close};
use http::{StatusCode, request};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

use super::behaviour::{Behaviour, FaultKind, Words};
use super::connection::{Control, Socket};
use super::plan::interval;
use super::record::{Exchange, Outcome};
use super::refusal::Refused;
use super::tokens::{count_tokens, pieces};

/// Where sessions are opened.
pub(super) const PATH: &str = "/v1/realtime";

/// The largest message that is read.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A piece of sound: 100 ms, which are two tokens, in base64.
const SOUND_LETTERS: usize = 6_400;
const SOUND_TOKENS: u64 = 2;

/// A session that is about to begin.
#[derive(Debug)]
pub(super) struct Session {
    accept: String,
    protocol: Option<String>,
    id: String,
    model: String,
    behaviour: Behaviour,
    rate: f64,
    exchange: Exchange,
    /// The tokens of the conversation so far.
    context: u64,
    /// What a client has said in sound since it last committed, in letters.
    sound: usize,
    last_said: String,
    responses: u32,
}

/// Reads the head of a request for a session.
pub(super) fn offer(head: &request::Parts) -> Result<(Offer, String), Refused> {
    let offer = Offer::read(&head.method, head.version, &head.headers)
        .map_err(|_| Refused::parameter("upgrade", "this endpoint takes WebSocket connections"))?;
    let query = head.uri.query().unwrap_or_default();
    let model = super::query::pairs(query).into_iter().find(|(key, _)| key == "model");
    let (_, model) =
        model.ok_or_else(|| Refused::parameter("model", "you must provide a model parameter"))?;
    Ok((offer, model))
}

impl Session {
    pub(super) fn new(offer: Offer, model: String, id: String, behaviour: Behaviour, rate: f64) -> Self {
        let rate = behaviour.pace.events_per_second.unwrap_or(rate);
        Self {
            accept: offer.accept,
            protocol: offer.protocols.into_iter().find(|protocol| protocol == "realtime"),
            id,
            model,
            behaviour,
            rate,
            exchange: Exchange::unrecorded(),
            context: 0,
            sound: 0,
            last_said: String::new(),
            responses: 0,
        }
    }

    pub(super) fn recorded_in(self, exchange: Exchange) -> Self {
        Self { exchange, ..self }
    }

    /// Speaks on a socket that HTTP has let go of.
    pub(super) async fn play(mut self, socket: Socket) {
        let control = socket.control();
        let mut line = Line { socket, decoder: Decoder::of_client(MESSAGE_BYTES_MAX), read: Vec::new() };
        let outcome = match self.converse(&mut line, &control).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::ClientLeft(Instant::now()),
        };
        self.exchange.end(outcome);
    }

    async fn converse(&mut self, line: &mut Line, control: &Control) -> io::Result<Outcome> {
        let protocol = self.protocol.as_ref().map(|name| format!("sec-websocket-protocol: {name}\r\n"));
        let head = format!(
            "HTTP/1.1 {} Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-accept: {}\r\n{}\r\n",
            StatusCode::SWITCHING_PROTOCOLS.as_u16(),
            self.accept,
            protocol.unwrap_or_default(),
        );
        line.socket.write_all(head.as_bytes()).await?;
        line.tell(&json!({"type": "session.created", "session": self.session(&json!({}))})).await?;
        loop {
            match line.next().await? {
                Unit::Text(text) => {
                    self.exchange.note_received(&text);
                    let event = serde_json::from_slice(&text).unwrap_or(Value::Null);
                    if let Some(outcome) = self.answer(&event, line, control).await? {
                        return Ok(outcome);
                    }
                }
                Unit::Binary(bytes) => self.exchange.note_received(&bytes),
                Unit::Ping(payload) => line.send(Kind::Pong, &payload).await?,
                Unit::Pong(_) => {}
                Unit::Close(close) => {
                    line.close(&close).await?;
                    return Ok(Outcome::Answered);
                }
            }
        }
    }

    fn session(&self, wished: &Value) -> Value {
        let mut session = wished.clone();
        session["id"] = json!(self.id);
        session["object"] = json!("realtime.session");
        session["type"] = json!("realtime");
        session["model"] = json!(self.model);
        session
    }

    /// Answers an event; the outcome where a fault ends the session.
    async fn answer(
        &mut self,
        event: &Value,
        line: &mut Line,
        control: &Control,
    ) -> io::Result<Option<Outcome>> {
        match event["type"].as_str().unwrap_or_default() {
            "session.update" => {
                let session = self.session(&event["session"]);
                line.tell(&json!({"type": "session.updated", "session": session})).await?;
            }
            "conversation.item.create" => {
                let text = event["item"]["content"][0]["text"].as_str().unwrap_or_default();
                self.context += count_tokens(text);
                text.clone_into(&mut self.last_said);
                line.tell(&json!({"type": "conversation.item.added", "item": event["item"]})).await?;
            }
            "input_audio_buffer.append" => {
                self.sound += event["audio"].as_str().map_or(0, str::len);
            }
            "input_audio_buffer.commit" => {
                let heard = (std::mem::take(&mut self.sound) / SOUND_LETTERS) as u64;
                self.context += heard;
                line.tell(&json!({"type": "input_audio_buffer.committed", "item_id": "item_heard"})).await?;
                let details = json!({"text_tokens": 0, "audio_tokens": heard});
                let usage = json!({"type": "tokens", "input_tokens": heard, "output_tokens": 3,
                    "total_tokens": heard + 3, "input_token_details": details});
                self.exchange.charge_prompt(heard);
                self.exchange.charge_completion(3);
                line.tell(&json!({"type": "conversation.item.input_audio_transcription.completed",
                    "item_id": "item_heard", "transcript": "what was heard", "usage": usage}))
                    .await?;
            }
            "response.create" => return self.respond(event, line, control).await,
            _ => {
                let error = json!({"type": "invalid_request_error", "code": "invalid_value",
                    "message": "unknown event", "param": "type"});
                line.tell(&json!({"type": "error", "event_id": "event_e", "error": error})).await?;
            }
        }
        Ok(None)
    }

    async fn respond(
        &mut self,
        event: &Value,
        line: &mut Line,
        control: &Control,
    ) -> io::Result<Option<Outcome>> {
        self.responses += 1;
        let id = format!("resp_{}", self.responses);
        let speaks = event["response"]["output_modalities"][0] == "audio";
        let words = match &self.behaviour.words {
            Words::Filler(tokens) => " word".repeat(usize::try_from(*tokens).unwrap_or(0)),
            Words::Text(text) => text.clone(),
            Words::Echo => self.last_said.clone(),
        };
        line.tell(&json!({"type": "response.created", "response": {"id": id, "status": "in_progress"}}))
            .await?;
        let pause = if self.rate > 0.0 { interval(self.rate) } else { Duration::ZERO };
        let (mut text_tokens, mut audio_tokens) = (0, 0);
        for piece in pieces(&words) {
            if let Some(outcome) = self.go_wrong(text_tokens, line, control).await? {
                return Ok(Some(outcome));
            }
            let kind =
                if speaks { "response.output_audio_transcript.delta" } else { "response.output_text.delta" };
            line.tell(&json!({"type": kind, "response_id": id, "delta": piece})).await?;
            text_tokens += 1;
            self.exchange.charge_completion(1);
            if speaks {
                let sound = "A".repeat(SOUND_LETTERS);
                line.tell(&json!({"type": "response.output_audio.delta", "response_id": id, "delta": sound}))
                    .await?;
                audio_tokens += SOUND_TOKENS;
                self.exchange.charge_completion(2);
            }
            if !pause.is_zero() {
                sleep(pause).await;
            }
        }
        let cached = self.behaviour.usage.cached.min(self.context);
        let output = text_tokens + audio_tokens;
        let usage = json!({
            "total_tokens": self.context + output, "input_tokens": self.context, "output_tokens": output,
            "input_token_details": {"text_tokens": self.context, "audio_tokens": 0, "cached_tokens": cached},
            "output_token_details": {"text_tokens": text_tokens, "audio_tokens": audio_tokens},
        });
        self.exchange.charge_prompt(self.context);
        self.context += output;
        let done = json!({"id": id, "status": "completed", "output": [], "usage": usage});
        line.tell(&json!({"type": "response.done", "event_id": format!("event_{id}"), "response": done}))
            .await?;
        Ok(None)
    }

    /// What goes wrong after so many pieces.
    async fn go_wrong(&self, after: u64, line: &mut Line, control: &Control) -> io::Result<Option<Outcome>> {
        let fault = self.behaviour.faults.iter().find(|fault| u64::from(fault.after) == after);
        let Some(fault) = fault else { return Ok(None) };
        match &fault.kind {
            FaultKind::Stall => std::future::pending::<()>().await,
            FaultKind::Reset => control.reset_on_close(),
            FaultKind::Close => line.close(&Close::new(Close::INTERNAL, "the model broke off")).await?,
            FaultKind::HalfFrame => line.socket.write_all(&[0x81, 0x20, b'{']).await?,
            FaultKind::BadUtf8 => line.socket.write_all(&[0x81, 0x01, 0xff]).await?,
            FaultKind::Malformed => line.socket.write_all(&[0xc1, 0x00]).await?,
            FaultKind::ErrorEvent(code) => {
                let error = json!({"type": "server_error", "code": code, "message": "the model failed"});
                line.tell(&json!({"type": "error", "event_id": "event_e", "error": error})).await?;
                return Ok(None);
            }
            FaultKind::HugeLine(bytes) => {
                let text = "a".repeat(*bytes);
                line.tell(&json!({"type": "response.output_text.delta", "delta": text})).await?;
                return Ok(None);
            }
        }
        line.socket.flush().await?;
        Ok(Some(Outcome::Broken))
    }
}

/// The socket of a session.
struct Line {
    socket: Socket,
    decoder: Decoder,
    read: Vec<u8>,
}

impl Line {
    async fn next(&mut self) -> io::Result<Unit> {
        loop {
            let mut rest = &*self.read;
            let taken = self.decoder.take(&mut rest);
            let left = rest.len();
            self.read.drain(..self.read.len() - left);
            match taken {
                Ok(Some(unit)) => return Ok(unit),
                Ok(None) => {}
                Err(violation) => return Err(io::Error::new(io::ErrorKind::InvalidData, violation)),
            }
            if self.socket.read_buf(&mut self.read).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn tell(&mut self, event: &Value) -> io::Result<()> {
        self.send(Kind::Text, event.to_string().as_bytes()).await
    }

    async fn send(&mut self, kind: Kind, payload: &[u8]) -> io::Result<()> {
        let mut out = Vec::new();
        write(kind, payload, Masking::Server, &mut out);
        self.socket.write_all(&out).await
    }

    async fn close(&mut self, close: &Close) -> io::Result<()> {
        let mut out = Vec::new();
        write_close(close, Masking::Server, &mut out);
        self.socket.write_all(&out).await?;
        self.socket.shutdown().await
    }
}
