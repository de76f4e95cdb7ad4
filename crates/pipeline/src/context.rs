//! The context of an exchange, which hooks that run elsewhere borrow.
//!
//! A context that is lent may be lost: its hook is ended with the client, or never returns. What an exchange needs at
//! its end in any case (labels, headers, what further questions consumed) is kept in a stand-in meanwhile.

use gatewright::{RequestCx, SideEffects, Tags, Usage};

use crate::hooked::Hooked;

/// The context of an exchange; empty until the caller and the route are known.
#[derive(Debug, Default)]
pub(crate) struct Context {
    own: Option<RequestCx>,
    /// There while the context is lent, and when it was lost.
    stand_in: Option<Box<RequestCx>>,
    /// What was before the hook of an instance that only watches, while it runs.
    before: Option<SideEffects>,
}

impl Context {
    /// The context of an exchange whose caller and route are known.
    pub(crate) fn new(cx: RequestCx) -> Self {
        Self { own: Some(cx), stand_in: None, before: None }
    }

    pub(crate) fn as_ref(&self) -> Option<&RequestCx> {
        self.own.as_ref().or(self.stand_in.as_deref())
    }

    pub(crate) fn as_mut(&mut self) -> Option<&mut RequestCx> {
        self.own.as_mut().or(self.stand_in.as_deref_mut())
    }

    /// A hook of this instance runs next.
    pub(crate) fn enter(&mut self, hooked: &Hooked) {
        self.leave();
        let Some(cx) = self.as_mut() else { return };
        cx.enter(hooked.index);
        let before = hooked.is_shadow.then(|| cx.watch());
        self.before = before;
    }

    /// The hook is over, in whatever way: what an instance that only watches changed is taken back.
    pub(crate) fn leave(&mut self) {
        let before = self.before.take();
        if let (Some(cx), Some(before)) = (self.as_mut(), before) {
            cx.unwatch(before);
        }
    }

    /// Hands the context to a hook that runs elsewhere. An instance that only watches gets one of its own, so that
    /// it can neither change nor lose it.
    pub(crate) fn lend(&mut self, hooked: &Hooked) -> Option<RequestCx> {
        let stand_in = self.as_ref()?.alike();
        let mut lent = if hooked.is_shadow {
            stand_in
        } else {
            let own = self.own.take()?;
            self.stand_in = Some(Box::new(stand_in));
            own
        };
        lent.enter(hooked.index);
        Some(lent)
    }

    /// Takes back what was lent to a hook of this instance. Returns whether the exchange has its context.
    pub(crate) fn give_back(&mut self, hooked: &Hooked, lent: Option<RequestCx>) -> bool {
        if !hooked.is_shadow
            && let Some(lent) = lent
        {
            self.own = Some(lent);
            self.stand_in = None;
        }
        self.own.is_some()
    }

    /// The labels.
    pub(crate) fn tags(&self) -> Tags {
        self.as_ref().map(|cx| cx.tags.clone()).unwrap_or_default()
    }

    /// What further questions consumed.
    pub(crate) fn asked_usage(&self) -> Usage {
        self.as_ref().map(RequestCx::asked_usage).unwrap_or_default()
    }

    /// What instances stored, to be dropped inside their fences.
    pub(crate) fn take_stored(&mut self) -> Vec<(u32, Box<dyn std::any::Any + Send + Sync>)> {
        self.own.as_mut().map(RequestCx::take_stored).unwrap_or_default()
    }
}
