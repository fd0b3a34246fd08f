//! What is answered at which address.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gradus_datasets::Preparation;
use gradus_nn::ValueKind;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};

use crate::answer::predictions;
use crate::body;
use crate::connection::Shared;
use crate::describe;
use crate::figures::{Figures, Now};
use crate::json::shortened;
use crate::memory::Share;
use crate::refusal::Refusal;
use crate::request::PredictRequest;
use crate::server::Limits;
use crate::stream::Talk;
use crate::table::read_table;

/// Bodies and answers of more bytes are read and written where other connections need not wait for it.
const LARGE: usize = 256 << 10;
/// The most numbers of an answer.
const NUMBERS: usize = 1 << 22;
/// The bytes that a number of an answer takes at most: predicted, copied and written, as `-1.2345678e-38,`.
const WRITTEN: usize = 4 + 4 + 16;

type Answer = Response<Full<Bytes>>;

/// The answer to a request, whatever it is.
pub(crate) async fn answer(shared: &Shared, talk: &Talk, mut request: Request<Incoming>) -> Answer {
    talk.is_asked.store(true, SeqCst);
    let path = decoded(request.uri().path()).into_owned();
    let route = route(&shared.name, &path);
    let is_predict = matches!(route, Ok(Route::Predict));
    let mut counted =
        Counted { figures: &shared.figures, begun: Instant::now(), is_predict, status: Refusal::gone().status };
    let answer = match answered(shared, talk, route, &mut request).await {
        Ok(answer) => answer,
        Err(Failure::Refused(refusal)) => refused(&refusal),
        Err(Failure::Method(method)) => {
            let text = format!("{} is asked by {method}", shortened(&path));
            let mut answer = refused(&Refusal::new(StatusCode::METHOD_NOT_ALLOWED, text));
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static(method));
            answer
        }
    };
    counted.status = answer.status();
    talk.has_rest.store(!request.body().is_end_stream(), SeqCst);
    talk.is_asked.store(false, SeqCst);
    answer
}

async fn answered(
    shared: &Shared,
    talk: &Talk,
    route: Result<Route, Refusal>,
    request: &mut Request<Incoming>,
) -> Result<Answer, Failure> {
    shared.hosts.check(request.headers(), request.uri())?;
    let route = route?;
    let (is_allowed, method) = match (&route, request.method()) {
        (Route::Predict, method) => (method == Method::POST, "POST"),
        (_, method) => (matches!(*method, Method::GET | Method::HEAD), "GET"),
    };
    if !is_allowed {
        return Err(Failure::Method(method));
    }
    let (kind, body) = match route {
        Route::Page => ("text/html; charset=utf-8", shared.page.clone()),
        Route::Health => ("text/plain; charset=utf-8", Bytes::from_static(b"ok\n")),
        Route::Figures => ("text/plain; version=0.0.4; charset=utf-8", shared.figures.text(now(shared)).into()),
        Route::Status => ("application/json", describe::status().into()),
        Route::Metadata => ("application/json", shared.metadata.clone()),
        Route::Predict => ("application/json", predict(shared, talk, request.body_mut()).await?),
    };
    Ok(whole(StatusCode::OK, kind, body))
}

fn now(shared: &Shared) -> Now {
    Now { waiting: shared.batcher.waiting(), connections: shared.open.load(SeqCst), bytes: shared.memory.taken() }
}

/// Counts a request when it is answered, or given up.
struct Counted<'a> {
    figures: &'a Figures,
    begun: Instant,
    is_predict: bool,
    status: StatusCode,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let duration: Option<Duration> = self.is_predict.then(|| self.begun.elapsed());
        if self.is_predict || self.status != StatusCode::OK {
            self.figures.request(self.status.as_u16(), duration);
        }
    }
}

/// A path with its escapes read: `m%3Apredict` is `m:predict`.
fn decoded(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return path.into();
    }
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let [first, behind @ ..] = rest {
        let code = behind.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = code.filter(|code| !code.starts_with('+')).and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

enum Failure {
    Refused(Refusal),
    /// Only this method is served there.
    Method(&'static str),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::Refused(refusal)
    }
}

enum Route {
    Page,
    Health,
    Figures,
    Status,
    Metadata,
    Predict,
}

/// What is asked for at a path of a server of the model of this name.
fn route(name: &str, path: &str) -> Result<Route, Refusal> {
    let missing = |text: String| Err(Refusal::new(StatusCode::NOT_FOUND, text));
    match path {
        "/" => return Ok(Route::Page),
        "/healthz" => return Ok(Route::Health),
        "/metrics" => return Ok(Route::Figures),
        _ => {}
    }
    let Some(rest) = path.strip_prefix("/v1/models/") else {
        return missing(format!(
            "there is nothing at {}; predictions are at /v1/models/{name}:predict",
            shortened(path)
        ));
    };
    let end = rest.find([':', '/']).unwrap_or(rest.len());
    if rest[..end] != *name {
        let found = shortened(&rest[..end]);
        return missing(format!("Servable not found for request: Latest({found}); the model here is {name}"));
    }
    let mut what = &rest[end..];
    if let Some(versioned) = what.strip_prefix("/versions/") {
        let end = versioned.find([':', '/']).unwrap_or(versioned.len());
        if versioned[..end] != *"1" {
            let found = shortened(&versioned[..end]);
            return missing(format!(
                "Servable not found for request: Specific({name}, {found}); there is version 1 alone"
            ));
        }
        what = &versioned[end..];
    }
    match what {
        "" => Ok(Route::Status),
        "/metadata" => Ok(Route::Metadata),
        ":predict" => Ok(Route::Predict),
        ":classify" | ":regress" => {
            Err(Refusal::bad(format!("{what} is not served: the model takes tensors, no examples; use :predict")))
        }
        _ if what.starts_with("/labels/") => missing("models have no labels here; leave /labels/.. out".to_owned()),
        _ => missing(format!("there is nothing at {}; predictions are at /v1/models/{name}:predict", shortened(path))),
    }
}

/// The answer of the model.
async fn predict(shared: &Shared, talk: &Talk, body: &mut Incoming) -> Result<Bytes, Refusal> {
    let (model, limits) = (shared.batcher.model(), &shared.limits);
    let share = Arc::new(Share::new(&shared.memory));
    let body = body::read(body, limits, &share).await?;
    let request = aside(body.len(), || {
        // A list of n numbers has n - 1 commas. A vector that grows takes up to three times what it has in the end.
        let numbers = 1 + body.iter().filter(|&&byte| byte == b',').count();
        if let Some(preparation) = &shared.preparation {
            return prepared(&body, preparation, limits, &share, numbers);
        }
        let has_ids = shared.inputs.iter().any(|input| matches!(input.kind, ValueKind::Ids { .. }));
        share.set(body.capacity() + 3 * numbers * if has_ids { 8 } else { 4 })?;
        PredictRequest::read(&body, &shared.inputs, limits.bounds).map_err(Refusal::bad)
    })?;
    drop(body);
    let PredictRequest { format, samples, inputs } = request;
    let free = inputs.iter().flat_map(|column| column.shape()[1..].iter().copied()).max().unwrap_or(1);
    let numbers: usize = model.outputs().iter().fold(0, |sum: usize, output| {
        let lengths = output.shape.iter().map(|length| length.unwrap_or(free));
        sum.saturating_add(lengths.fold(samples, usize::saturating_mul))
    });
    if numbers > NUMBERS {
        let text = format!(
            "the answer would have some {numbers} numbers, and may have {NUMBERS}; ask for fewer samples at once"
        );
        return Err(Refusal::bad(text));
    }
    // As i64, the largest of the kinds of inputs.
    let given: usize = inputs.iter().map(|column| 8 * column.shape().size()).sum();
    share.set(given + WRITTEN * numbers)?;
    let outputs = tokio::select! {
        outputs = shared.batcher.predict(inputs, samples, limits.answer_time, Arc::clone(&share)) => outputs?,
        () = talk.gone() => return Err(Refusal::gone()),
    };
    let json = aside(WRITTEN * numbers, || predictions(format, model.outputs(), &outputs));
    drop(outputs);
    share.set(json.capacity())?;
    // The memory is taken until the answer is written.
    Ok(Bytes::from_owner(Written { json, _share: share }))
}

/// The inputs that are made of the rows of a request.
fn prepared(
    body: &Vec<u8>,
    preparation: &Preparation,
    limits: &Limits,
    share: &Share,
    entries: usize,
) -> Result<PredictRequest, Refusal> {
    // A row may leave out all of its entries, and then is two brackets. An entry is a number or a text.
    let rows = 1 + body.iter().filter(|&&byte| byte == b'{').count();
    let row = preparation.columns().len() * (8 + size_of::<String>());
    let texts = 3 * body.len() + 3 * entries.max(rows) * (8 + size_of::<String>());
    share.set(body.capacity() + texts + rows.saturating_mul(row))?;
    let (format, table) = read_table(body, preparation, limits.bounds).map_err(Refusal::bad)?;
    let made = table.len().saturating_mul(4 * preparation.width() + 8 * preparation.id_inputs().count());
    share.set((body.capacity() + texts + rows.saturating_mul(row)).saturating_add(made))?;
    let inputs = preparation.prepare(&table).map_err(|error| Refusal::bad(error.to_string()))?;
    Ok(PredictRequest { format, samples: table.len(), inputs })
}

struct Written {
    json: Vec<u8>,
    _share: Arc<Share>,
}

impl AsRef<[u8]> for Written {
    fn as_ref(&self) -> &[u8] {
        &self.json
    }
}

/// Runs `work` on so many bytes, without making other connections wait if they are many.
fn aside<R>(bytes: usize, work: impl FnOnce() -> R) -> R {
    if bytes > LARGE { tokio::task::block_in_place(work) } else { work() }
}

fn refused(refusal: &Refusal) -> Answer {
    let mut answer = whole(refusal.status, "application/json", refusal.json().into());
    if refusal.may_come_again() {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}

fn whole(status: StatusCode, kind: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}
