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

    /// `{"error": ".."}`, as TensorFlow Serving writes it.
    pub(crate) fn json(&self) -> Vec<u8> {
        serde_json::json!({ "error": self.text }).to_string().into_bytes()
    }
}
