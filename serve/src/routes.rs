//! What is answered at which address.

use std::time::Instant;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};

use crate::answer::predictions;
use crate::connection::Shared;
use crate::describe;
use crate::json::shortened;
use crate::refusal::Refusal;
use crate::request::PredictRequest;

/// Bodies and answers of more bytes are read and written where other connections need not wait for it.
const LARGE: usize = 256 << 10;
/// The most numbers of an answer.
const NUMBERS: usize = 1 << 22;

type Answer = Response<Full<Bytes>>;

/// The answer to a request, whatever it is.
pub(crate) async fn answer(shared: &Shared, request: Request<Incoming>) -> Answer {
    let begun = Instant::now();
    let path = request.uri().path().to_owned();
    let (is_get, is_post) = (matches!(*request.method(), Method::GET | Method::HEAD), request.method() == Method::POST);
    let allowed =
        |is_allowed: bool, method: &'static str| if is_allowed { Ok(()) } else { Err(Failure::Method(method)) };
    let route = route(&shared.name, &path);
    let is_predict = matches!(route, Ok(Route::Predict));
    let answered = async {
        let route = route.map_err(Failure::Refused)?;
        allowed(if is_predict { is_post } else { is_get }, if is_predict { "POST" } else { "GET" })?;
        let model = shared.batcher.model();
        let (kind, body) = match route {
            Route::Page => ("text/html; charset=utf-8", describe::page(&shared.name, model)),
            Route::Health => ("text/plain; charset=utf-8", "ok\n".into()),
            Route::Figures => ("text/plain; version=0.0.4; charset=utf-8", shared.figures.text().into_bytes()),
            Route::Status => ("application/json", describe::status()),
            Route::Metadata => ("application/json", describe::metadata(&shared.name, model)),
            Route::Predict => ("application/json", predict(shared, request).await.map_err(Failure::Refused)?),
        };
        Ok(whole(StatusCode::OK, kind, body))
    };
    let answer = answered.await.unwrap_or_else(|failure| match failure {
        Failure::Refused(refusal) => refused(&refusal),
        Failure::Method(method) => {
            let text = format!("{} is asked by {method}", shortened(&path));
            let mut answer = refused(&Refusal::new(StatusCode::METHOD_NOT_ALLOWED, text));
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static(method));
            answer
        }
    });
    if is_predict {
        shared.figures.request(answer.status().as_u16(), begun.elapsed());
    }
    answer
}

enum Failure {
    Refused(Refusal),
    /// Only this method is served there.
    Method(&'static str),
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
async fn predict(shared: &Shared, request: Request<Incoming>) -> Result<Vec<u8>, Refusal> {
    let (head, body) = request.into_parts();
    let model = shared.batcher.model();
    let (inputs, bounds) = (&shared.inputs, shared.limits.bounds);
    let request = {
        let body = shared.read(&head.headers, body).await?;
        aside(body.len(), || PredictRequest::read(&body, inputs, bounds)).map_err(Refusal::bad)?
    };
    let free = request.inputs.iter().flat_map(|column| column.shape()[1..].iter().copied()).max().unwrap_or(1);
    let numbers: usize = model.outputs().iter().fold(0, |sum: usize, output| {
        let lengths = output.shape.iter().map(|length| length.unwrap_or(free));
        sum.saturating_add(lengths.fold(request.samples, usize::saturating_mul))
    });
    if numbers > NUMBERS {
        let text = format!(
            "the answer would have some {numbers} numbers, and may have {NUMBERS}; ask for fewer samples at once"
        );
        return Err(Refusal::bad(text));
    }
    let outcome = shared.batcher.submit(request.inputs, request.samples)?.await;
    let outputs =
        outcome.unwrap_or_else(|_| Err(Refusal::internal("the model did not answer; see the server's log")))?;
    Ok(aside(12 * numbers, || predictions(request.format, model.outputs(), &outputs)))
}

/// Runs `work` on so many bytes, without making other connections wait if they are many.
fn aside<R>(bytes: usize, work: impl FnOnce() -> R) -> R {
    if bytes > LARGE { tokio::task::block_in_place(work) } else { work() }
}

fn refused(refusal: &Refusal) -> Answer {
    let mut answer = whole(refusal.status, "application/json", refusal.json());
    if refusal.status == StatusCode::SERVICE_UNAVAILABLE {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}

fn whole(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}
