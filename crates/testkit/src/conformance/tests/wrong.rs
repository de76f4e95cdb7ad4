//! One fault each, and what the suite says of it.

use gatewright::http::StatusCode;

use super::*;

/// Makes an extension with the fault that its name says.
macro_rules! wrong {
    ($type:ident, $name:literal, $config:ty) => {
        struct $type(#[expect(dead_code, reason = "some faults need it")] ExtEnv);

        impl Extension for $type {
            const NAME: &'static str = $name;
            type Config = $config;

            async fn create(_: $config, env: ExtEnv) -> Result<Self, BuildError> {
                Ok(Self(env))
            }
        }
    };
}

fn suite<E: Extension>(points: &[Point]) -> Suite<E> {
    Suite::new(json!({}), points)
}

fn filters() -> [Point; 1] {
    [Point::ResponseFilter]
}

wrong!(Unregistered, "test.unregistered", Nothing);

impl ResponseFilter for Unregistered {
    fn plan(&self, _: &ResponseHead, _: &RequestCx) -> FilterPlan {
        FilterPlan::Skip
    }
}

crate::conformance! {
    mod pitfall_07: Right => Authenticator, RequestTransform, ResponseFilter, Limiter, CredentialProvider,
        TargetPicker, TokenEstimator, UsageSink, AuditSink;
    json!({"word": "example"})
}

#[test]
#[should_panic(expected = "`test.unregistered` is not registered")]
fn pitfall_07_a_suite_of_an_extension_that_is_not_linked_in_fails_and_does_not_pass_with_nothing_to_test() {
    registration(&suite::<Unregistered>(&filters()));
}

#[test]
#[should_panic(expected = "the suite names the points that `test.right` is registered for")]
fn a_suite_that_leaves_a_point_out_fails() {
    registration(&suite::<Right>(&filters()));
}

wrong!(BadName, "Test_Name", Nothing);

impl ResponseFilter for BadName {
    fn plan(&self, _: &ResponseHead, _: &RequestCx) -> FilterPlan {
        FilterPlan::Skip
    }
}

gatewright::register!(BadName => ResponseFilter);

#[test]
#[should_panic(expected = "`Test_Name` cannot be the name of an extension")]
fn a_name_that_is_no_label_fails() {
    registration(&suite::<BadName>(&filters()));
}

/// A type whose own description does not describe its field.
#[gatewright::config]
struct Bare {
    #[serde(default)]
    word: String,
}

struct Undescribed;

impl Extension for Undescribed {
    const NAME: &'static str = "test.undescribed";
    type Config = Bare;

    async fn create(config: Bare, _: ExtEnv) -> Result<Self, BuildError> {
        drop(config.word);
        Ok(Self)
    }
}

#[async_trait]
impl RequestTransform for Undescribed {
    async fn on_request(&self, _: &mut LlmRequest, _: &mut RequestCx) -> HookResult {
        Ok(Flow::Continue)
    }
}

gatewright::register!(Undescribed => RequestTransform);

#[test]
#[should_panic(expected = "settings.word does not")]
fn a_setting_without_a_description_fails() {
    settings(&suite::<Undescribed>(&[Point::RequestTransform]));
}

/// Says that it is any text, and takes only digits.
#[derive(gatewright::serde::Deserialize, gatewright::schemars::JsonSchema)]
#[serde(crate = "gatewright::serde", deny_unknown_fields)]
#[schemars(crate = "gatewright::schemars")]
struct Narrow {
    /// A number.
    #[schemars(with = "String")]
    number: u8,
}

struct TooNarrow;

impl Extension for TooNarrow {
    const NAME: &'static str = "test.too-narrow";
    type Config = Narrow;

    async fn create(config: Narrow, _: ExtEnv) -> Result<Self, BuildError> {
        let _number = config.number;
        Ok(Self)
    }
}

#[async_trait]
impl RequestTransform for TooNarrow {
    async fn on_request(&self, _: &mut LlmRequest, _: &mut RequestCx) -> HookResult {
        Ok(Flow::Continue)
    }
}

gatewright::register!(TooNarrow => RequestTransform);

#[test]
#[should_panic(expected = "the settings of the suite are refused")]
fn settings_that_the_schema_refuses_fail() {
    settings(&Suite::<TooNarrow>::new(json!({"number": 7}), &[Point::RequestTransform]));
}

#[test]
#[should_panic(expected = "the schema accepts what the decoder refuses")]
fn a_schema_that_accepts_what_the_decoder_refuses_fails() {
    settings(&Suite::<TooNarrow>::new(json!({"number": "7"}), &[Point::RequestTransform]));
}

/// Takes any number, and says that it takes small ones.
#[gatewright::config]
struct Modest {
    /// A number.
    #[schemars(range(max = 5))]
    number: u8,
}

struct TooModest;

impl Extension for TooModest {
    const NAME: &'static str = "test.too-modest";
    type Config = Modest;

    async fn create(config: Modest, _: ExtEnv) -> Result<Self, BuildError> {
        let _number = config.number;
        Ok(Self)
    }
}

#[async_trait]
impl RequestTransform for TooModest {
    async fn on_request(&self, _: &mut LlmRequest, _: &mut RequestCx) -> HookResult {
        Ok(Flow::Continue)
    }
}

gatewright::register!(TooModest => RequestTransform);

#[test]
#[should_panic(expected = "the schema refuses what makes an instance")]
fn a_schema_that_refuses_what_makes_an_instance_fails() {
    settings(&Suite::<TooModest>::new(json!({"number": 3}), &[Point::RequestTransform]));
}

static KEPT: Mutex<Option<Arc<Leaks>>> = Mutex::new(None);

struct Leaks;

impl Extension for Leaks {
    const NAME: &'static str = "test.leaks";
    type Config = Nothing;

    async fn create(_: Nothing, _: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self)
    }

    async fn start(self: &Arc<Self>, _: &mut TaskScope) -> Result<(), BuildError> {
        // The last one only, so that a reload goes well and the end does not.
        *KEPT.lock() = Some(Arc::clone(self));
        Ok(())
    }
}

#[async_trait]
impl RequestTransform for Leaks {
    async fn on_request(&self, _: &mut LlmRequest, _: &mut RequestCx) -> HookResult {
        Ok(Flow::Continue)
    }
}

gatewright::register!(Leaks => RequestTransform);

#[test]
#[should_panic(expected = "instances of `test.leaks` that somebody keeps")]
fn an_instance_that_is_kept_fails() {
    life(&suite::<Leaks>(&[Point::RequestTransform]));
}

struct Fragile(ExtEnv);

impl Extension for Fragile {
    const NAME: &'static str = "test.fragile";
    type Config = Nothing;

    async fn create(_: Nothing, env: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self(env))
    }
}

#[async_trait]
impl RequestTransform for Fragile {
    async fn on_request(&self, request: &mut LlmRequest, cx: &mut RequestCx) -> HookResult {
        let tenant = cx.principal().tenant.clone();
        self.0.kv.get(&tenant, "a").await.unwrap();
        // Every run adds something.
        request.edit_texts(&mut |part| Some(format!("{}!", part.text)))?;
        Ok(Flow::Continue)
    }
}

impl ResponseFilter for Fragile {
    fn plan(&self, _: &ResponseHead, _: &RequestCx) -> FilterPlan {
        FilterPlan::Text(HoldBack::bytes(2))
    }

    fn open(&self, _: &ResponseHead, _: &mut RequestCx) -> HookResult<Box<dyn StreamFilter>> {
        Ok(Box::new(Hide("example".to_owned())))
    }
}

#[async_trait]
impl Limiter for Fragile {
    async fn reserve(
        &self,
        _: &Estimate,
        _: &LlmRequest,
        _: Option<u64>,
        cx: &mut RequestCx,
    ) -> HookResult<Admission> {
        let key = BucketKey {
            tenant: cx.principal().tenant.clone(),
            rule: "fragile".into(),
            label: "all".into(),
            dimension: Dimension::Requests,
            window: None,
        };
        let claim = || Claim { key: key.clone(), limit: 1_000, need: 1 };
        match self.0.limits.claim(&[claim()]).await? {
            Claimed::Held(held, _) => {
                // Spent before it is known whether anything is sent.
                let mut held = held;
                held.spend(0, 1);
                Ok(Admission::Admit(Box::new(Keep(held)), None))
            }
            Claimed::Refused(_) | Claimed::Unknown { .. } => Ok(Admission::Skip),
        }
    }
}

impl TargetPicker for Fragile {
    fn pick(&self, candidates: &[Candidate], _: &LlmRequest, _: &RequestCx) -> HookResult<Option<usize>> {
        Ok(candidates.len().checked_sub(1))
    }
}

impl TokenEstimator for Fragile {
    fn input_tokens(&self, request: &LlmRequest, _: &str) -> HookResult<Option<u64>> {
        Ok(Some(1_000_000 / (request.to_body().len() as u64 + 1)))
    }
}

#[async_trait]
impl Authenticator for Fragile {
    async fn authenticate(&self, head: &RequestHead<'_>) -> HookResult<AuthVerdict> {
        let value = head.headers.get("authorization").map(|value| value.to_str().unwrap());
        let _token = value.map(|value| value.split_once(' ').unwrap().1);
        Ok(AuthVerdict::Abstain)
    }
}

#[async_trait]
impl UsageSink for Fragile {
    async fn deliver(&self, records: &[Arc<UsageRecord>]) -> Result<(), ExtError> {
        for record in records {
            // The error is swallowed, and the record with it.
            let _lost = self.0.kv.add(&record.principal.tenant, "n", 1).await;
        }
        Ok(())
    }
}

impl ProviderAdapter for Fragile {
    fn codec(&self, _: &ProviderTarget<'_>) -> Option<&'static dyn Codec> {
        Some(gatewright_wire::codec(Dialect::OpenAiChat))
    }

    fn encode(&self, request: &ProviderRequest<'_>) -> Result<UpstreamCall, Failure> {
        let path = "/chat/completions".into();
        Ok(UpstreamCall { method: Method::POST, path, headers: HeaderMap::new(), body: request.body.clone() })
    }

    fn classify(&self, _: &ProviderTarget<'_>, status: StatusCode, _: &HeaderMap, body: &[u8]) -> Failure {
        let text = std::str::from_utf8(body).unwrap();
        Failure::internal(format!("{status} {text}"))
    }
}

gatewright::register!(Fragile => RequestTransform, ResponseFilter, Limiter, TargetPicker, TokenEstimator,
    Authenticator, UsageSink);

#[test]
#[should_panic(expected = "`test.fragile` panics in [Request")]
fn a_panic_where_a_service_fails_fails() {
    failing_services(&suite::<Fragile>(&[]));
}

#[test]
#[should_panic(expected = "`test.fragile` changes its own result of one message")]
fn a_transform_that_edits_its_own_result_fails_unless_the_suite_says_so() {
    request_transform(&suite::<Fragile>(&[]).edits_again());
    request_transform(&suite::<Fragile>(&[]));
}

#[test]
#[should_panic(expected = "its plan holds back less than it looks at")]
fn a_filter_that_holds_back_too_little_fails() {
    response_filter(&suite::<Fragile>(&[]).text("an example"));
}

#[test]
#[should_panic(expected = "`test.fragile` spends nothing when a later limiter refused")]
fn a_limiter_that_spends_too_early_fails() {
    limiter(&suite::<Fragile>(&[]));
}

#[test]
#[should_panic(expected = "which was tried already")]
fn a_picker_that_repeats_itself_fails() {
    target_picker(&suite::<Fragile>(&[]));
}

#[test]
#[should_panic(expected = "tokens for 1 words")]
fn an_estimator_that_goes_down_fails() {
    token_estimator(&suite::<Fragile>(&[]));
}

#[test]
#[should_panic(expected = "called `Option::unwrap()` on a `None` value")]
fn an_authenticator_that_trusts_a_header_fails() {
    authenticator(&suite::<Fragile>(&[]));
}

#[test]
#[should_panic(expected = "the records are lost")]
fn a_sink_that_swallows_an_error_fails() {
    usage_sink(&suite::<Fragile>(&[]));
}

#[test]
#[should_panic(expected = "`test.fragile` classes 400")]
fn an_adapter_that_trusts_an_error_answer_fails() {
    provider_adapter(&suite::<Fragile>(&[]));
}

struct Forgets(ExtEnv);

impl Extension for Forgets {
    const NAME: &'static str = "test.forgets";
    type Config = Nothing;

    async fn create(_: Nothing, env: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self(env))
    }
}

#[async_trait]
impl Limiter for Forgets {
    async fn reserve(
        &self,
        _: &Estimate,
        _: &LlmRequest,
        _: Option<u64>,
        _: &mut RequestCx,
    ) -> HookResult<Admission> {
        let key = BucketKey {
            tenant: "t".into(),
            rule: "r".into(),
            label: "l".into(),
            dimension: Dimension::Requests,
            window: None,
        };
        let Claimed::Held(held, _) = self.0.limits.claim(&[Claim { key, limit: 1_000, need: 2 }]).await?
        else {
            return Ok(Admission::Skip);
        };
        Box::leak(Box::new(held));
        self.0.kv.get(&"t".into(), "k").await?;
        Ok(Admission::Skip)
    }
}

#[test]
#[should_panic(expected = "`test.forgets` holds nothing after its reservation is dropped")]
fn a_limiter_that_forgets_what_it_holds_fails() {
    limiter(&suite::<Forgets>(&[]));
}
