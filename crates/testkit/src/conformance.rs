//! What holds for every extension, as tests that an extension gets by naming itself. The guide follows.
#![doc = include_str!("conformance/guide.md")]
#![expect(clippy::panic, reason = "what must hold and does not ends a test")]

mod audit;
mod auth;
mod body;
mod corpus;
mod credential;
mod estimator;
mod filter;
mod life;
mod limiter;
mod name;
mod picker;
mod provider;
mod request;
mod schema;
mod session;
mod sink;
mod suite;

pub use self::audit::audit_sink;
pub use self::auth::authenticator;
pub use self::credential::credential_provider;
pub use self::estimator::token_estimator;
pub use self::filter::{response_filter, response_filter_streams};
pub use self::life::{failing_services, life};
pub use self::limiter::{limiter, limiter_cancelled};
pub use self::name::registration;
pub use self::picker::target_picker;
pub use self::provider::provider_adapter;
pub use self::request::request_transform;
pub use self::schema::settings;
pub use self::sink::usage_sink;
pub use self::suite::Suite;
pub(crate) use self::suite::run;

/// Tests that hold for every extension, for one of them. See [`conformance`](mod@crate::conformance).
#[macro_export]
macro_rules! conformance {
    (mod $module:ident: $extension:ty => $($point:ident),+; $settings:expr $(; $change:expr)? $(;)?) => {
        mod $module {
            use super::*;

            fn suite() -> $crate::conformance::Suite<$extension> {
                let points = [$($crate::conformance::Point::$point),+];
                let suite = $crate::conformance::Suite::<$extension>::new($settings, &points);
                $(let suite = suite.with($change);)?
                suite
            }

            #[test]
            fn is_registered_under_a_name_that_can_be_one_for_the_points_that_it_implements() {
                $crate::conformance::registration(&suite());
            }

            #[test]
            fn describes_its_settings_and_takes_what_its_schema_takes() {
                $crate::conformance::settings(&suite());
            }

            #[test]
            fn begins_and_ends_and_leaves_nothing_behind() {
                $crate::conformance::life(&suite());
            }

            #[test]
            fn does_not_panic_when_services_fail() {
                $crate::conformance::failing_services(&suite());
            }

            $($crate::conformance_of_point!($point);)+
        }
    };
    ($extension:ty => $($rest:tt)+) => {
        $crate::conformance! { mod conformance: $extension => $($rest)+ }
    };
}

/// The tests of one point. Part of the expansion of [`conformance!`](crate::conformance!).
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_of_point {
    (Authenticator) => {
        #[test]
        fn authenticates_any_head_without_a_panic() {
            $crate::conformance::authenticator(&suite());
        }
    };
    (RequestTransform) => {
        #[test]
        fn transforms_any_request() {
            $crate::conformance::request_transform(&suite());
        }
    };
    (Limiter) => {
        #[test]
        fn gives_back_whatever_it_holds_on_every_end() {
            $crate::conformance::limiter(&suite());
        }

        #[test]
        fn is_settled_once_when_a_client_leaves_after_any_event() {
            $crate::conformance::limiter_cancelled(&suite());
        }
    };
    (ResponseFilter) => {
        #[test]
        fn filters_a_text_the_same_however_it_is_cut() {
            $crate::conformance::response_filter(&suite());
        }

        #[test]
        fn filters_whole_answers_and_streams_of_a_gateway_alike() {
            $crate::conformance::response_filter_streams(&suite());
        }
    };
    (CredentialProvider) => {
        #[test]
        fn finds_credentials_without_a_panic() {
            $crate::conformance::credential_provider(&suite());
        }
    };
    (TargetPicker) => {
        #[test]
        fn picks_a_target_that_is_there_and_was_not_tried() {
            $crate::conformance::target_picker(&suite());
        }
    };
    (ProviderAdapter) => {
        #[test]
        fn encodes_any_request_and_classes_any_error() {
            $crate::conformance::provider_adapter(&suite());
        }
    };
    (TokenEstimator) => {
        #[test]
        fn estimates_more_for_longer_texts() {
            $crate::conformance::token_estimator(&suite());
        }
    };
    (UsageSink) => {
        #[test]
        fn takes_batches_or_says_that_it_did_not() {
            $crate::conformance::usage_sink(&suite());
        }
    };
    (AuditSink) => {
        #[test]
        fn takes_audit_batches_or_says_that_it_did_not() {
            $crate::conformance::audit_sink(&suite());
        }
    };
}

#[doc(hidden)]
pub use gatewright::point::Point;

#[cfg(test)]
mod tests;
