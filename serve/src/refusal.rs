//! Why a request is not answered.

use hyper::StatusCode;

/// A status and a text that says what is wrong and what to do.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Refusal { status, text: text.into() }
    }

    /// The client's mistake.
    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Refusal::new(StatusCode::BAD_REQUEST, text)
    }

    /// Too much to do for now.
    pub(crate) fn busy(text: impl Into<String>) -> Self {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text)
    }

    /// Ours.
    pub(crate) fn internal(text: impl Into<String>) -> Self {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, text)
    }

    /// The client's going, by nginx's status for it; it is counted, and nobody reads it.
    pub(crate) fn gone() -> Self {
        Refusal::new(StatusCode::from_u16(499).expect("it has three digits"), "the client has gone")
    }

    /// Whether the same request may be granted in a second.
    pub(crate) fn may_come_again(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE
    }

    /// `{"error": ".."}`, as TensorFlow Serving writes it.
    pub(crate) fn json(&self) -> Vec<u8> {
        serde_json::json!({ "error": self.text }).to_string().into_bytes()
    }

    /// A whole answer, for a connection that is closed after it.
    pub(crate) fn http(&self) -> Vec<u8> {
        let json = self.json();
        let retry = if self.may_come_again() { "retry-after: 1\r\n" } else { "" };
        let head = format!(
            "HTTP/1.1 {}\r\ncontent-type: application/json\r\n{retry}connection: close\r\ncontent-length: {}\r\n\r\n",
            self.status,
            json.len()
        );
        [head.as_bytes(), &json].concat()
    }
}
