//! The hooks of extensions by name, as metrics, logs, traces and errors call them.

use gatewright::point::Point;

macro_rules! hooks {
    ($($(#[$doc:meta])* $hook:ident => $name:literal, $point:expr;)+) => {
        /// A hook: one method of one point, or a step in the life of an instance.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Hook {
            $($(#[$doc])* $hook,)+
        }

        impl Hook {
            /// All hooks.
            pub const ALL: &[Self] = &[$(Self::$hook),+];

            /// The hook's name in metrics, logs and errors.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$hook => $name,)+
                }
            }

            /// The point that it belongs to; `None` for the life of an instance.
            #[must_use]
            pub const fn point(self) -> Option<Point> {
                match self {
                    $(Self::$hook => $point,)+
                }
            }
        }
    };
}

hooks! {
    /// An instance is made.
    Create => "create", None;
    /// An instance begins its work.
    Start => "start", None;
    /// An instance is asked whether it can do its work.
    Ready => "ready", None;
    /// A background task of an instance runs.
    Task => "task", None;
    /// An instance ends its work.
    Stop => "stop", None;
    /// Something that an instance made is dropped.
    Drop => "drop", None;
    /// [`gatewright::Authenticator::authenticate`]
    Authenticate => "authenticate", Some(Point::Authenticator);
    /// [`gatewright::RequestTransform::wants`]
    Wants => "wants", Some(Point::RequestTransform);
    /// [`gatewright::RequestTransform::on_request`]
    Request => "request", Some(Point::RequestTransform);
    /// [`gatewright::Limiter::reserve`]
    Reserve => "reserve", Some(Point::Limiter);
    /// [`gatewright::Reservation::progress`]
    Progress => "progress", Some(Point::Limiter);
    /// [`gatewright::Reservation::topped_up`], and the future before it
    TopUp => "top_up", Some(Point::Limiter);
    /// [`gatewright::Reservation::settle`]
    Settle => "settle", Some(Point::Limiter);
    /// [`gatewright::ResponseFilter::plan`] and `open`
    Open => "open", Some(Point::ResponseFilter);
    /// [`gatewright::StreamFilter::on_event`]
    Event => "event", Some(Point::ResponseFilter);
    /// [`gatewright::StreamFilter::on_text`]
    Text => "text", Some(Point::ResponseFilter);
    /// [`gatewright::StreamFilter::observe`]
    Observe => "observe", Some(Point::ResponseFilter);
    /// [`gatewright::StreamFilter::resume`], and the future before it
    Resume => "resume", Some(Point::ResponseFilter);
    /// [`gatewright::ResponseFilter::on_response`]
    Response => "response", Some(Point::ResponseFilter);
    /// [`gatewright::StreamFilter::on_end`]
    End => "end", Some(Point::ResponseFilter);
    /// [`gatewright::CredentialProvider::credential`]
    Credential => "credential", Some(Point::CredentialProvider);
    /// [`gatewright::TargetPicker::pick`]
    Pick => "pick", Some(Point::TargetPicker);
    /// [`gatewright::TargetPicker::observe`]
    Tried => "tried", Some(Point::TargetPicker);
    /// [`gatewright::ProviderAdapter::encode`]
    Encode => "encode", Some(Point::ProviderAdapter);
    /// [`gatewright::ProviderAdapter::classify`]
    Classify => "classify", Some(Point::ProviderAdapter);
    /// [`gatewright::TokenEstimator::input_tokens`]
    Estimate => "estimate", Some(Point::TokenEstimator);
    /// [`gatewright::UsageSink::deliver`]
    Deliver => "deliver", Some(Point::UsageSink);
    /// [`gatewright::AuditSink::deliver`]
    Audit => "audit", Some(Point::AuditSink);
}

impl Hook {
    /// The hook's place in [`Hook::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Whether it is left out while its instance does not return from another call. What ends something is not:
    /// it has to happen once.
    #[must_use]
    pub(crate) const fn may_be_left_out(self) -> bool {
        !matches!(self, Self::Create | Self::Start | Self::Task | Self::Stop | Self::Drop | Self::Settle)
    }

    /// The hook at a place.
    #[must_use]
    pub fn at(index: usize) -> Option<Self> {
        Self::ALL.get(index).copied()
    }
}
