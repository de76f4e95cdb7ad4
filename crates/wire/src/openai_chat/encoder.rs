//! A client's stream: what is left of a frame after filters, errors, the terminator.
//!
//! The terminator is written once and never after an error.

use gatewright::dialect::{ErrorBody, Frame, FrameKind, StreamEncoder, StreamSettings, UsageArtefact};
use gatewright::{EventKind, StreamEvent};

use super::envelope::{ChunkForm, Envelope};
use super::retelling::{Retelling, Sink};
use super::{error, rewrite, walk};
use crate::document::Part;
use crate::json::{JsonError, ObjectEdit, Patches, Reader, Value, member_near_end};
use crate::sse;
use crate::stream::error_body;

/// Writes one stream.
#[derive(Debug)]
pub(crate) struct Encoder {
    envelope: Envelope,
    settings: StreamSettings,
    /// There where another dialect's events tell the stream.
    retelling: Option<Retelling>,
    /// After an error or the terminator nothing follows.
    is_closed: bool,
}

impl Encoder {
    pub(crate) fn new(form: ChunkForm, settings: StreamSettings) -> Self {
        let wanted = settings.envelope.as_ref();
        let envelope = wanted.map_or_else(|| Envelope::new(form), |wanted| Envelope::wanted(form, wanted));
        let retelling = wanted.map(Retelling::new);
        Self { envelope, settings, retelling, is_closed: false }
    }

    fn write_event(&mut self, event: &EventKind, out: &mut Vec<u8>) {
        match event {
            _ if self.is_closed => {}
            EventKind::End => self.write_end(out),
            EventKind::Error(failure) => self.write_error(&error_body(failure), out),
            _ if self.retelling.is_some() => self.retell(|retelling, sink| retelling.tell(event, sink), out),
            EventKind::Raw { data } => sse::write_data(out, data),
            _ => self.envelope.write(event, self.settings.model.as_deref(), out),
        }
    }

    fn retell(&mut self, tell: impl FnOnce(&mut Retelling, &mut Sink<'_>), out: &mut Vec<u8>) {
        if let Some(retelling) = &mut self.retelling {
            let model = self.settings.model.as_deref();
            tell(retelling, &mut Sink { envelope: &self.envelope, model, out });
        }
    }

    /// Adds what the settings ask for to the patches of a data frame.
    fn apply_settings(&self, frame: &Frame, patches: &mut Patches) -> Result<(), JsonError> {
        if let Some(model) = &self.settings.model {
            Reader::new(&frame.data).object(|reader, key| {
                if key.is("model")
                    && let Some(name) = reader.string()?
                    && !name.is(model)
                {
                    patches.replace_str(name.span(), model);
                }
                Ok::<_, JsonError>(())
            })?;
        }
        if self.settings.hide_usage && frame.usage_artefact == UsageArtefact::NullMember {
            remove_usage(&frame.data, patches);
        }
        if may_tell_all(frame) {
            walk::walk(&frame.data, &mut |part| {
                if let Part::SoFar { value } = part {
                    patches.replace(value.span(), "null");
                }
            })?;
        }
        Ok(())
    }

    /// Whether nobody but the gateway has asked for the frame.
    fn hides(&self, frame: &Frame) -> bool {
        self.settings.hide_usage && frame.usage_artefact == UsageArtefact::Frame
    }

    /// Writes the frame of a kind that has no JSON to edit, unless its event was dropped.
    fn write_plain(&mut self, frame: &Frame, keep: bool, out: &mut Vec<u8>) {
        match frame.kind {
            FrameKind::KeepAlive => out.extend_from_slice(&frame.raw),
            FrameKind::End | FrameKind::Error if keep => {
                out.extend_from_slice(&frame.raw);
                self.is_closed = true;
            }
            FrameKind::End | FrameKind::Error | FrameKind::Data => {}
        }
    }
}

impl StreamEncoder for Encoder {
    fn observe(&mut self, frame: &Frame) {
        if frame.kind == FrameKind::Data {
            self.envelope.learn(&frame.data);
        }
    }

    /// What a filter has changed in earlier frames must not be told once more in a later one.
    fn alters(&mut self, frame: &Frame) -> bool {
        may_tell_all(frame)
    }

    fn pass(&mut self, frame: &Frame, out: &mut Vec<u8>) {
        if self.is_closed {
            return;
        }
        if frame.kind != FrameKind::Data {
            self.write_plain(frame, true, out);
        } else if !self.hides(frame) {
            let mut patches = Patches::new();
            match self.apply_settings(frame, &mut patches) {
                Ok(()) => sse::write_frame(frame, &patches, out),
                // It is not JSON, and so has nothing to patch.
                Err(_) => out.extend_from_slice(&frame.raw),
            }
        }
    }

    fn write(&mut self, frame: Option<&Frame>, events: &[StreamEvent], out: &mut Vec<u8>) {
        let Some(frame) = frame else {
            return events.iter().for_each(|event| self.write_event(event.kind(), out));
        };
        if self.is_closed {
            return;
        }
        let plan = rewrite::Plan::new(events);
        plan.before.iter().for_each(|event| self.write_event(event, out));
        if frame.kind != FrameKind::Data {
            self.write_plain(frame, plan.keeps_any(), out);
        } else if let Some((mut patches, carrier)) = plan.patches(&frame.data).filter(|_| !self.hides(frame))
        {
            if let Some(carrier) = carrier {
                self.envelope.learn_carrier(carrier);
            }
            // The walk over the data has succeeded, so this one does.
            if self.apply_settings(frame, &mut patches).is_ok() {
                sse::write_frame(frame, &patches, out);
            }
        }
        plan.after.iter().for_each(|event| self.write_event(event, out));
    }

    fn write_error(&mut self, error: &ErrorBody<'_>, out: &mut Vec<u8>) {
        if !self.is_closed {
            sse::write_data(out, &error::render(error));
            self.is_closed = true;
        }
    }

    fn write_end(&mut self, out: &mut Vec<u8>) {
        if !self.is_closed {
            let hides_usage = self.settings.hide_usage;
            self.retell(|retelling, sink| retelling.close(hides_usage, sink), out);
            sse::write_data(out, super::decoder::DONE);
            self.is_closed = true;
        }
    }

    fn write_keep_alive(&mut self, out: &mut Vec<u8>) {
        if !self.is_closed {
            out.extend_from_slice(b": keep-alive\n\n");
        }
    }
}

/// Whether a frame may tell the whole text so far. One with a single piece of text does not.
fn may_tell_all(frame: &Frame) -> bool {
    frame.kind == FrameKind::Data
        && frame.sole_text.is_none()
        && memchr::memmem::find(&frame.data, br#""message""#).is_some()
}

/// Takes the usage member out. It mostly stands near the end, where looking for it costs little.
fn remove_usage(data: &[u8], patches: &mut Patches) {
    if let Some(span) = member_near_end(data, br#""usage""#) {
        patches.remove(span);
    } else {
        let removal = ObjectEdit::new().remove("usage").patches(&Value::of_checked(data));
        patches.append(&removal.unwrap_or_default());
    }
}
