//! Calls outside whose answers a test writes down beforehand.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use gatewright::async_trait;
use gatewright::bytes::Bytes;
use gatewright::http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use gatewright::service::http::{Http, HttpError};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// A fake [`Http`]. Cloning shares script and record.
///
/// Answers to one URL come in the order in which they were written, and the last one again and again. A URL without
/// any is refused as the gateway refuses an origin that is not listed.
#[derive(Clone, Debug, Default)]
pub struct FakeHttp(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    called: Notify,
}

#[derive(Debug, Default)]
struct State {
    script: HashMap<String, VecDeque<Reply>>,
    calls: Vec<HttpCall>,
}

#[derive(Clone, Debug)]
enum Reply {
    Answer(StatusCode, Bytes),
    Failure(HttpError),
    Silence,
}

/// A call that was made.
#[derive(Clone, Debug)]
pub struct HttpCall {
    /// The method.
    pub method: Method,
    /// The URL.
    pub url: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl HttpCall {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl FakeHttp {
    /// Answers calls to a URL.
    ///
    /// # Panics
    /// If it is no status.
    pub fn answer(&self, url: &str, status: u16, body: impl Into<Bytes>) -> &Self {
        let status = StatusCode::from_u16(status).expect("the test gives a valid status");
        self.reply(url, Reply::Answer(status, body.into()))
    }

    /// Lets calls to a URL fail.
    pub fn fail(&self, url: &str, error: HttpError) -> &Self {
        self.reply(url, Reply::Failure(error))
    }

    /// Never answers calls to a URL, for tests of what happens at a deadline.
    pub fn hang(&self, url: &str) -> &Self {
        self.reply(url, Reply::Silence)
    }

    /// Every call so far.
    #[must_use]
    pub fn calls(&self) -> Vec<HttpCall> {
        self.0.state.lock().calls.clone()
    }

    /// Ends when at least this many calls were made.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost.
    pub async fn until_called(&self, count: usize) {
        loop {
            let mut called = std::pin::pin!(self.0.called.notified());
            called.as_mut().enable();
            if self.0.state.lock().calls.len() >= count {
                return;
            }
            called.await;
        }
    }

    fn reply(&self, url: &str, reply: Reply) -> &Self {
        self.0.state.lock().script.entry(url.to_owned()).or_default().push_back(reply);
        self
    }

    fn next(&self, call: HttpCall) -> Option<Reply> {
        let mut state = self.0.state.lock();
        let script = state.script.get_mut(&call.url);
        let reply =
            script.and_then(
                |replies| {
                    if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() }
                },
            );
        if reply.is_some() {
            state.calls.push(call);
        }
        reply
    }
}

#[async_trait]
impl Http for FakeHttp {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let origin = origin(&head.uri).ok_or(HttpError::NotAbsolute)?;
        let url = head.uri.to_string();
        let reply = self.next(HttpCall { method: head.method, url, headers: head.headers, body });
        self.0.called.notify_waiters();
        match reply {
            None => Err(HttpError::Forbidden { origin }),
            Some(Reply::Failure(error)) => Err(error),
            Some(Reply::Silence) => std::future::pending().await,
            Some(Reply::Answer(status, body)) => {
                let mut response = Response::new(body);
                *response.status_mut() = status;
                Ok(response)
            }
        }
    }
}

fn origin(url: &Uri) -> Option<String> {
    let scheme = url.scheme_str().filter(|scheme| ["http", "https"].contains(scheme))?;
    Some(format!("{scheme}://{}", url.authority()?))
}

#[cfg(test)]
mod tests {
    use gatewright::bytes::Bytes;
    use gatewright::http::Request;
    use gatewright::service::http::{Http, HttpError};

    use super::FakeHttp;

    fn get(url: &str) -> Request<Bytes> {
        Request::get(url).body(Bytes::new()).unwrap()
    }

    #[tokio::test]
    async fn answers_by_script_and_repeats_the_last() {
        let http = FakeHttp::default();
        let url = "https://hooks.example/seen";
        let timeout = HttpError::Timeout {
            origin: "https://hooks.example".to_owned(),
            waited: std::time::Duration::from_secs(1),
        };
        http.fail(url, timeout.clone()).answer(url, 204, "");
        assert_eq!(http.send(get(url)).await.unwrap_err(), timeout);
        for _ in 0..2 {
            assert_eq!(http.send(get(url)).await.unwrap().status(), 204);
        }
        assert_eq!(http.calls().len(), 3);
        let other = http.send(get("https://other.example/")).await.unwrap_err();
        assert_eq!(other, HttpError::Forbidden { origin: "https://other.example".to_owned() });
        assert_eq!(http.send(get("/relative")).await.unwrap_err(), HttpError::NotAbsolute);
    }
}
