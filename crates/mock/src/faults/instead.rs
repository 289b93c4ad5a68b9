//! Faults that are answered instead of any behaviour: statuses, errors with 200, redirects, flapping.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{Effect, Row, Scene, edit::figure, row};
use crate::{answer::Answer, dialects::Refusal, service::refuse};

/// A wait that no caller should obey: 31 years.
const ABSURD_S: u64 = 1_000_000_000;

pub(super) static ROWS: &[Row] = &[
    row(
        "F15",
        "error-in-200",
        "a 200 whose body is an error",
        &[Effect::Instead(error_in_200)],
    ),
    row(
        "F23",
        "status-{n}-retry-{n}",
        "the status with `retry-after` in seconds",
        &[Effect::Instead(status_retry)],
    ),
    row(
        "F23",
        "retry-after-absurd",
        "a 429 with `retry-after: 1000000000`",
        &[Effect::Instead(absurd)],
    ),
    row(
        "F23",
        "retry-after-date",
        "a 429 with `retry-after` as a date a minute ahead",
        &[Effect::Instead(retry_date)],
    ),
    row("-", "quota-exceeded", "a 429 that waiting does not help", &[Effect::Instead(quota)]),
    row(
        "-",
        "context-length",
        "a 400: the prompt is too long for the model",
        &[Effect::Instead(context_length)],
    ),
    row(
        "F24",
        "status-{n}",
        "the status with the vendor's error body (503, 529, …)",
        &[Effect::Instead(status)],
    ),
    row(
        "F24",
        "html-{n}",
        "the status with an HTML page, as a load balancer sends",
        &[Effect::Instead(html)],
    ),
    row("F24", "empty-{n}", "the status without a body", &[Effect::Instead(empty)]),
    row(
        "F25",
        "flap-{d}",
        "by the clock: {d} up, {d} down (503); for counts use a script",
        &[Effect::Instead(flap)],
    ),
    row(
        "F28",
        "redirect-metadata",
        "a 307 to http://169.254.169.254/",
        &[Effect::Instead(redirect)],
    ),
    row(
        "F28",
        "redirect-{n}",
        "the status with the same location",
        &[Effect::Instead(redirect)],
    ),
];

/// An error of the dialect.
pub(super) fn refused(scene: &Scene<'_>, status: u64, message: &str) -> Answer {
    let status = u16::try_from(status)
        .ok()
        .filter(|status| (200..1000).contains(status))
        .unwrap_or(500);
    refuse(scene.dialect, scene.stamp, &Refusal::new(status, message))
}

fn said(status: u64) -> &'static str {
    match status {
        400 => "Invalid request.",
        401 => "Incorrect API key provided.",
        402 => "There is an issue with your billing or payment information.",
        403 => "Your API key does not have permission to use the specified resource.",
        404 => "The requested resource could not be found.",
        408 | 504 => "Request timed out.",
        413 => "Request exceeds the maximum size.",
        429 => "Rate limit reached. Please try again later.",
        500 => "The server had an error while processing your request. Sorry about that!",
        502 => "Bad gateway.",
        503 => "The engine is currently overloaded, please try again later.",
        529 => "Overloaded",
        _ => "The simulator was asked for this status.",
    }
}

fn status(scene: &Scene<'_>, figures: &[u64]) -> Option<Answer> {
    let status = figure(figures, 0);
    Some(refused(scene, status, said(status)))
}

fn status_retry(scene: &Scene<'_>, figures: &[u64]) -> Option<Answer> {
    let status = u16::try_from(figure(figures, 0)).unwrap_or(500);
    let refusal = Refusal {
        retry_after_s: Some(figure(figures, 1)),
        ..Refusal::new(status, said(status.into()))
    };
    Some(refuse(scene.dialect, scene.stamp, &refusal))
}

fn absurd(scene: &Scene<'_>, _: &[u64]) -> Option<Answer> {
    status_retry(scene, &[429, ABSURD_S])
}

fn retry_date(scene: &Scene<'_>, _: &[u64]) -> Option<Answer> {
    let mut answer = refused(scene, 429, said(429));
    let seconds = i64::try_from(scene.stamp.now_s().saturating_add(60)).ok()?;
    let time = jiff::Timestamp::from_second(seconds).ok()?;
    // IMF-fixdate of RFC 9110.
    let date = time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    answer.headers.insert(header::RETRY_AFTER, HeaderValue::try_from(date).ok()?);
    Some(answer)
}

fn quota(scene: &Scene<'_>, _: &[u64]) -> Option<Answer> {
    let message = "You exceeded your current quota, please check your plan and billing details.";
    Some(refuse(
        scene.dialect,
        scene.stamp,
        &Refusal::new(429, message).code("insufficient_quota"),
    ))
}

fn context_length(scene: &Scene<'_>, _: &[u64]) -> Option<Answer> {
    Some(refuse(scene.dialect, scene.stamp, &scene.dialect.too_long()))
}

fn error_in_200(scene: &Scene<'_>, _: &[u64]) -> Option<Answer> {
    let mut answer = refused(scene, 500, said(500));
    answer.status = StatusCode::OK;
    Some(answer)
}

fn page(status: u64, kind: &'static str, body: &'static str) -> Option<Answer> {
    let status = StatusCode::from_u16(u16::try_from(status).ok()?).ok()?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    Some(Answer::whole(status, headers, Bytes::from_static(body.as_bytes())))
}

fn html(_: &Scene<'_>, figures: &[u64]) -> Option<Answer> {
    let body = "<html>\r\n<head><title>Bad Gateway</title></head>\r\n<body><center><h1>Bad Gateway</h1></center></body>\r\n</html>\r\n";
    page(figure(figures, 0), "text/html", body)
}

fn empty(_: &Scene<'_>, figures: &[u64]) -> Option<Answer> {
    page(figure(figures, 0), "application/json", "")
}

fn flap(scene: &Scene<'_>, figures: &[u64]) -> Option<Answer> {
    let down = scene.stamp.now_ms / figure(figures, 0).max(1) % 2 == 1;
    down.then(|| refused(scene, 503, said(503)))
}

fn redirect(scene: &Scene<'_>, figures: &[u64]) -> Option<Answer> {
    let mut answer = refused(scene, figures.first().copied().unwrap_or(307), "redirected");
    let target = HeaderValue::from_static("http://169.254.169.254/latest/meta-data/iam/security-credentials/");
    answer.headers.insert(header::LOCATION, target);
    Some(answer)
}
