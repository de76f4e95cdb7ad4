//! A streamed answer as typed events, and the ways in which an exchange can end.

mod event_text;

use bytes::Bytes;

pub use event_text::EventText;

use crate::chat::{Media, Signature};
use crate::text::Lane;
use crate::{Failure, Usage};

/// Why the model stopped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FinishReason {
    /// The natural end, or a stop string.
    Stop,
    /// The output cap was reached.
    Length,
    /// The model calls tools.
    ToolCalls,
    /// A content policy stopped the answer.
    ContentFilter,
    /// A stop string of the request: which, where the provider tells.
    StopString(Option<String>),
    /// The model's context is full.
    ContextFull,
    /// The provider runs a tool of its own and wants to be asked again.
    Paused,
    /// The model called a tool in a way that nobody can read.
    MalformedCall,
    /// Anything else, in the provider's own word.
    Other(String),
}

/// One event of a streamed answer.
///
/// An event that came from the provider belongs to a frame of the wire. As long as no event of a
/// frame is edited, dropped or added, the client receives the frame's own bytes.
#[derive(Clone, Debug)]
pub struct StreamEvent {
    kind: EventKind,
    origin: Origin,
    is_edited: bool,
}

/// Where an event comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is the n-th event of the frame being processed, counted from 0.
    Frame(u16),
    /// The gateway or an extension added it.
    Inserted,
}

/// What an event says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventKind {
    /// The answer begins; later frames of the dialect may repeat it.
    Start,
    /// Text of a lane goes on.
    TextDelta {
        /// Which text.
        lane: Lane,
        /// The new piece, without the escapes of the wire format.
        text: EventText,
    },
    /// A tool call begins; its arguments follow as text of the lane.
    ToolCallStart {
        /// The lane of the arguments.
        lane: Lane,
        /// The provider's id of the call.
        id: String,
        /// The tool's name.
        name: String,
    },
    /// Nothing more comes of a lane, where the dialect tells.
    LaneEnd {
        /// Which.
        lane: Lane,
    },
    /// What proves to the provider that the text of a lane, or a tool call, is its own.
    Signature {
        /// Which.
        lane: Lane,
        /// The proof.
        signature: Signature<'static>,
    },
    /// Reasoning that only the provider can read.
    SealedReasoning {
        /// Whose.
        choice: u32,
        /// The sealed text.
        signature: Signature<'static>,
    },
    /// An image or a sound that the model made, as a whole.
    Media {
        /// Whose.
        choice: u32,
        /// What it is.
        media: Box<Media<'static>>,
    },
    /// What the provider says it consumed so far; later figures replace earlier ones.
    Usage(Usage),
    /// One choice is complete.
    Finish {
        /// Which choice.
        choice: u32,
        /// Why it ended.
        reason: FinishReason,
    },
    /// The stream failed after it had begun.
    Error(Box<Failure>),
    /// Something that the dialect's decoder does not know; it passes through.
    Raw {
        /// The payload as it came.
        data: Bytes,
    },
    /// The provider's terminator.
    End,
}

impl StreamEvent {
    /// An event of the provider, the n-th of its frame.
    #[must_use]
    pub fn from_frame(kind: EventKind, ordinal: u16) -> Self {
        Self { kind, origin: Origin::Frame(ordinal), is_edited: false }
    }

    /// An event that the gateway or an extension adds.
    #[must_use]
    pub fn inserted(kind: EventKind) -> Self {
        Self { kind, origin: Origin::Inserted, is_edited: true }
    }

    /// What the event says.
    #[must_use]
    pub fn kind(&self) -> &EventKind {
        &self.kind
    }

    /// Where the event comes from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Whether the event differs from what the provider sent.
    #[must_use]
    pub fn is_edited(&self) -> bool {
        self.is_edited
    }

    /// The text of a delta and its lane.
    #[must_use]
    pub fn text(&self) -> Option<(Lane, &str)> {
        match &self.kind {
            EventKind::TextDelta { lane, text } => Some((*lane, text)),
            _ => None,
        }
    }

    /// The text of a delta, for editing. Asking for it marks the event as edited, and its frame
    /// is written anew.
    #[must_use]
    pub fn text_mut(&mut self) -> Option<&mut String> {
        match &mut self.kind {
            EventKind::TextDelta { text, .. } => {
                self.is_edited = true;
                Some(text.to_mut())
            }
            _ => None,
        }
    }

    /// Replaces the text of a delta; equal text leaves the event unedited.
    pub fn replace_text(&mut self, new: &str) {
        if let EventKind::TextDelta { text, .. } = &mut self.kind
            && text.as_str() != new
        {
            new.clone_into(text.to_mut());
            self.is_edited = true;
        }
    }
}

/// Who ended an exchange before its natural end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CancelledBy {
    /// The client left.
    Client,
    /// A filter or a limiter cut the answer.
    Filter,
    /// The gateway shut down.
    Shutdown,
}

/// How an exchange ended, as reservations and records learn it. Exactly one per reservation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// The answer is complete.
    Completed {
        /// What it consumed.
        usage: Usage,
        /// Whether the provider reported the figures; otherwise they are estimated.
        reported: bool,
    },
    /// Somebody ended the exchange early.
    Cancelled {
        /// What had flowed until then.
        seen: Usage,
        /// Who ended it.
        by: CancelledBy,
        /// Whether the upstream call was still running and was aborted.
        upstream_aborted: bool,
    },
    /// The upstream call failed.
    Failed {
        /// What had flowed until then.
        seen: Usage,
        /// Whether the provider can have billed: it had the request when it failed.
        may_be_billed: bool,
    },
    /// Nothing was sent to a provider: a later limiter or hook said no.
    NotSent,
    /// The exchange was lost to a panic.
    Lost {
        /// What had flowed until then.
        seen: Usage,
    },
}

impl Outcome {
    /// The tokens that flowed, whatever the end.
    #[must_use]
    pub fn usage(&self) -> Usage {
        match self {
            Self::Completed { usage, .. } => *usage,
            Self::Cancelled { seen, .. } | Self::Failed { seen, .. } | Self::Lost { seen } => *seen,
            Self::NotSent => Usage::default(),
        }
    }

    /// One word for records, logs and metrics.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Completed { .. } => "completed",
            Self::Cancelled { by: CancelledBy::Client, .. } => "client_gone",
            Self::Cancelled { by: CancelledBy::Filter, .. } => "cut",
            Self::Cancelled { by: CancelledBy::Shutdown, .. } => "shutdown",
            Self::Failed { .. } => "failed",
            Self::NotSent => "not_sent",
            Self::Lost { .. } => "lost",
        }
    }
}
