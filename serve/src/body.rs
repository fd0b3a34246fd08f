//! The bodies of requests.

use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body, Incoming};

use crate::memory::Share;
use crate::refusal::Refusal;
use crate::server::Limits;

/// Reads a body into memory, which its share counts.
pub(crate) async fn read(body: &mut Incoming, limits: &Limits, share: &Share) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let in_time = tokio::time::timeout(limits.body_time, read_into(&mut bytes, body, limits, share)).await;
    let Ok(read) = in_time else {
        let (seconds, found) = (limits.body_time.as_secs_f64(), bytes.len());
        let text = format!("the body has not come within {seconds} s, only {found} bytes of it; send it faster");
        return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, text));
    };
    read.map(|()| bytes)
}

async fn read_into(bytes: &mut Vec<u8>, body: &mut Incoming, limits: &Limits, share: &Share) -> Result<(), Refusal> {
    let check = |length: u64| {
        if length <= limits.body as u64 {
            return Ok(());
        }
        let text = format!("the body has more than {} bytes; send fewer samples at once", limits.body);
        Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text))
    };
    // Nothing is taken on the word of a Content-Length; one that is too large saves reading.
    check(body.size_hint().lower())?;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Err(Refusal::bad(format!("the body is cut off after {} bytes; send all of it", bytes.len())));
        };
        let Some(data) = frame.data_ref() else { continue };
        let length = bytes.len() + data.len();
        check(length as u64)?;
        if length > bytes.capacity() {
            let capacity = length.max((2 * bytes.capacity()).min(limits.body));
            // To grow takes the old and the new at a time.
            share.set(bytes.capacity() + capacity)?;
            bytes.reserve_exact(capacity - bytes.len());
            share.set(capacity)?;
        }
        bytes.extend_from_slice(data);
    }
    Ok(())
}
