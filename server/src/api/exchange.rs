//! The way of every call: key, form, idempotency, the use case, expansion, answer.

mod once;

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{RawPathParams, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use perennial::calendar::Timestamp;
use perennial::id::RequestId;
use serde_json::Value;
use tracing::Instrument as _;

use once::{idempotency_key, once};

use super::form::{self, BODY_BYTES_MAX, FormError};
use super::params::Params;
use super::problem::Problem;
use super::{Api, authentication, expansion};
use crate::rendering::{API_VERSION, Wanted, fold};
use crate::service::links::Linking;
use crate::service::test_clocks::Named;
use crate::store::Scope;
use crate::store::document::{self, Document};
use crate::store::event::Cause;

/// How long a client waits for an answer, in seconds: less than the server waits for any, so that
/// this answer is JSON too.
const ANSWER_SECONDS_MAX: u64 = 25;

/// Routes of one resource.
pub type Routes = Router<Api>;

/// A call as its function sees it.
pub struct Call {
    /// The use cases and settings.
    pub api: Api,
    /// Whose.
    pub scope: Scope,
    /// The ids in the path, in order.
    pub path: Vec<String>,
    /// When it came.
    pub now: Timestamp,
    params: Params,
}

impl Call {
    /// Reads the parameters by `read`, and refuses whatever that complained about or left.
    ///
    /// # Errors
    /// The first complaint.
    pub fn read<T>(&mut self, read: impl FnOnce(&mut Params) -> T) -> Result<T, Problem> {
        let mut params = std::mem::take(&mut self.params);
        let value = read(&mut params);
        params.finish()?;
        Ok(value)
    }

    /// The call takes no parameters.
    ///
    /// # Errors
    /// When there are some.
    pub fn no_params(&mut self) -> Result<(), Problem> {
        self.read(|_| ())
    }

    /// The first id in the path, as text.
    #[must_use]
    pub fn id_text(&self) -> &str {
        self.path.first().map_or("", String::as_str)
    }

    /// The id at a place of the path, if it can be one of its kind.
    ///
    /// # Errors
    /// "No such …" if it can't.
    pub fn id_at<T: std::str::FromStr>(
        &self,
        place: usize,
        kind: &'static str,
    ) -> Result<T, Problem> {
        let text = self.path.get(place).map_or("", String::as_str);
        text.parse().map_err(|_| Problem::no_such(kind, text, None))
    }

    /// Reads the object that the path names.
    ///
    /// # Errors
    /// "No such …" if it is not there.
    pub async fn find<T: Document>(&self) -> Result<T, Problem> {
        self.load(self.id_text()).await
    }

    /// Reads an object by its id.
    ///
    /// # Errors
    /// "No such …" if it is not there.
    pub async fn load<T: Document>(&self, id: &str) -> Result<T, Problem> {
        let mut connection = self.api.engine.store.read().await?;
        let found = document::load::<T>(&mut connection, &self.scope, id).await?;
        let found = found.ok_or_else(|| Problem::no_such(T::KIND, id, None))?;
        Ok(found.value)
    }

    /// The first id in the path, if it can be one of its kind.
    ///
    /// # Errors
    /// "No such …" if it can't.
    pub fn id<T: std::str::FromStr>(&self, kind: &'static str) -> Result<T, Problem> {
        self.id_at(0, kind)
    }
}

/// A route's function for GET; `shows` is what it answers with, for `expand[]`.
pub fn get<F, Fut>(shows: &'static str, function: F) -> MethodRouter<Api>
where
    F: Fn(Call) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, Problem>> + Send + 'static,
{
    method(MethodFilter::GET, shows, function)
}

/// A route's function for POST; `shows` as for [`get`].
pub fn post<F, Fut>(shows: &'static str, function: F) -> MethodRouter<Api>
where
    F: Fn(Call) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, Problem>> + Send + 'static,
{
    method(MethodFilter::POST, shows, function)
}

/// A route's function for POST that does nothing more when it is called again, so that its answers
/// need not be kept by `Idempotency-Key`; `shows` as for [`get`].
pub fn post_repeatable<F, Fut>(shows: &'static str, function: F) -> MethodRouter<Api>
where
    F: Fn(Call) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, Problem>> + Send + 'static,
{
    on(
        MethodFilter::POST,
        move |State(api): State<Api>, path: RawPathParams, request: Request| {
            let function = function.clone();
            async move { exchange(api, path, request, (shows, Again::IsHarmless), function).await }
        },
    )
}

/// What a call that comes again with its idempotency key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    /// It gets the first answer, which is kept.
    GetsAnswer,
    /// The function does nothing more by itself.
    IsHarmless,
}

/// A route's function for DELETE; `shows` as for [`get`].
pub fn delete<F, Fut>(shows: &'static str, function: F) -> MethodRouter<Api>
where
    F: Fn(Call) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, Problem>> + Send + 'static,
{
    method(MethodFilter::DELETE, shows, function)
}

fn method<F, Fut>(filter: MethodFilter, shows: &'static str, function: F) -> MethodRouter<Api>
where
    F: Fn(Call) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, Problem>> + Send + 'static,
{
    on(
        filter,
        move |State(api): State<Api>, path: RawPathParams, request: Request| {
            let function = function.clone();
            async move { exchange(api, path, request, (shows, Again::GetsAnswer), function).await }
        },
    )
}

/// What is answered, before it is bytes.
struct Answer {
    status: StatusCode,
    body: String,
    replayed: bool,
}

impl Answer {
    fn of(result: &Result<Value, Problem>) -> Self {
        let (status, body) = match result {
            Ok(value) => (StatusCode::OK, value.to_string()),
            Err(problem) => (problem.status, problem.body().to_string()),
        };
        Self {
            status,
            body,
            replayed: false,
        }
    }
}

async fn exchange<F, Fut>(
    api: Api,
    path: RawPathParams,
    request: Request,
    (shows, again): (&'static str, Again),
    function: F,
) -> Response
where
    F: Fn(Call) -> Fut + Send + 'static,
    Fut: Future<Output = Result<Value, Problem>> + Send + 'static,
{
    // The one under which the web logs the request, where it came that way.
    let given = request.extensions().get::<RequestId>().cloned();
    let request_id = given.unwrap_or_else(|| RequestId::new(&mut api.engine.ids()));
    // No id holds a NUL, and Postgres takes none in texts.
    let sound = |(_, value): (&str, &str)| value.replace('\0', "\u{fffd}");
    let path: Vec<String> = path.iter().map(sound).collect();
    let (parts, body) = request.into_parts();
    let headers = parts.headers.clone();
    let answer = match to_bytes(body, BODY_BYTES_MAX).await {
        Err(_) => Answer::of(&Err(too_large())),
        Ok(body) => {
            let incoming = Incoming {
                request_id: request_id.clone(),
                method: parts.method,
                target: parts.uri.to_string(),
                query: parts.uri.query().unwrap_or_default().to_owned(),
                headers: parts.headers,
                body,
                path,
            };
            answer(api, incoming, (shows, again), function).await
        }
    };
    respond(&answer, &headers, request_id.as_str())
}

/// A request whose body was read.
struct Incoming {
    request_id: RequestId,
    method: Method,
    target: String,
    query: String,
    headers: HeaderMap,
    body: Bytes,
    path: Vec<String>,
}

async fn answer<F, Fut>(
    mut api: Api,
    incoming: Incoming,
    (shows, again): (&'static str, Again),
    function: F,
) -> Answer
where
    F: Fn(Call) -> Fut + Send + 'static,
    Fut: Future<Output = Result<Value, Problem>> + Send + 'static,
{
    let scope = match authentication::authenticate(&api.engine.store, &incoming.headers).await {
        Ok(scope) => scope,
        Err(problem) => return Answer::of(&Err(problem)),
    };
    let key = match idempotency_key(&incoming) {
        Ok(key) => key,
        Err(problem) => return Answer::of(&Err(problem)),
    };
    api.engine = api.engine.caused_by(Cause {
        request: incoming.request_id.to_string(),
        idempotency_key: key.clone(),
    });
    // A task of its own: it goes on when the client hangs up, and if it panics, only it does.
    let work = async move {
        let Some(key) = key.filter(|_| again == Again::GetsAnswer) else {
            return Answer::of(&perform(api, scope, incoming, shows, function).await);
        };
        once(api, scope, key, incoming, shows, function).await
    };
    let task = tokio::spawn(work.in_current_span());
    match tokio::time::timeout(Duration::from_secs(ANSWER_SECONDS_MAX), task).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            tracing::error!(%error, "an API call panicked");
            Answer::of(&Err(Problem::internal()))
        }
        Err(_) => {
            tracing::error!("an API call took too long; it goes on");
            let late = Problem::internal().status(StatusCode::SERVICE_UNAVAILABLE);
            Answer::of(&Err(late))
        }
    }
}

/// Decodes, calls the resource's function and expands what it answers.
async fn perform<F, Fut>(
    mut api: Api,
    scope: Scope,
    incoming: Incoming,
    shows: &'static str,
    function: F,
) -> Result<Value, Problem>
where
    F: Fn(Call) -> Fut + Send,
    Fut: Future<Output = Result<Value, Problem>> + Send,
{
    let form = decode(&incoming)?;
    let reads = incoming.method == Method::GET;
    follow_clock(&mut api, &scope, &incoming.path, &form, reads).await?;
    let mut params = Params::new(form);
    let wanted = expansion::wanted(&mut params, shows)?;
    let call = Call {
        now: api.engine.now(),
        api: api.clone(),
        scope: scope.clone(),
        path: incoming.path,
        params,
    };
    let mut value = function(call).await?;
    expand(&api, &scope, shows, &mut value, &wanted).await;
    let linking = match has_documents(&value) {
        true => Some(api.engine.linking(&scope).await?),
        false => None,
    };
    complete_links(&mut value, &api.public_url, linking.as_ref());
    Ok(value)
}

/// Lets a call that concerns a customer with a test clock happen at that clock's time, whichever
/// route it takes. While the clock moves, it can only be looked at.
async fn follow_clock(
    api: &mut Api,
    scope: &Scope,
    path: &[String],
    form: &form::Branch,
    reads: bool,
) -> Result<(), Problem> {
    let mut named = Named::default();
    for id in path {
        named.note(id);
    }
    note_all(&mut named, form);
    if let Some(form::Node::Leaf(id)) = form.get("test_clock") {
        named.note_clock(id);
    }
    let Some(clock) = api.engine.followed(scope, &named).await? else {
        return Ok(());
    };
    if clock.is_advancing() && !reads {
        let message = "Test clock advancement underway - cannot perform modifications";
        return Err(Problem::invalid(message).status(StatusCode::TOO_MANY_REQUESTS));
    }
    api.engine = api.engine.at(clock.frozen_time);
    Ok(())
}

/// Notes the ids in a form. What stands in metadata is the merchant's own and names nobody.
fn note_all(named: &mut Named, form: &form::Branch) {
    for (name, node) in form {
        match node {
            form::Node::Leaf(text) => named.note(text),
            form::Node::Branch(_) if name == "metadata" => {}
            form::Node::Branch(inner) => note_all(named, inner),
        }
    }
}

/// Whether there is anything in an answer that the installation's keys are needed for: an invoice, a
/// credit note or a payment intent.
fn has_documents(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.iter().any(has_documents),
        Value::Object(map) => {
            let kind = map.get("object").and_then(Value::as_str);
            matches!(kind, Some("invoice" | "credit_note" | "payment_intent"))
                || map.values().any(has_documents)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Writes where a document can be seen without signing in, unless it is a draft, and what proves that
/// somebody may confirm a payment.
fn link_document(map: &mut serde_json::Map<String, Value>, public_url: &str, linking: &Linking) {
    let text = |name: &str| map.get(name).and_then(Value::as_str).unwrap_or_default();
    let (kind, id, status) = (
        text("object").to_owned(),
        text("id").to_owned(),
        text("status"),
    );
    let url = format!("{public_url}{}", linking.path(&id));
    match kind.as_str() {
        "invoice" if status != "draft" && map.contains_key("hosted_invoice_url") => {
            map.insert("invoice_pdf".to_owned(), format!("{url}/pdf").into());
            map.insert("hosted_invoice_url".to_owned(), url.into());
        }
        "credit_note" if map.contains_key("pdf") => {
            map.insert("pdf".to_owned(), format!("{url}/pdf").into());
        }
        "payment_intent" if map.contains_key("client_secret") => {
            map.insert("client_secret".to_owned(), linking.secret(&id).into());
        }
        _ => {}
    }
    if kind == "invoice"
        && let Some(Value::String(secret)) = map
            .get_mut("confirmation_secret")
            .and_then(|own| own.get_mut("client_secret"))
    {
        *secret = linking.secret(secret);
    }
}

/// Challenges of the embedded gateway are paths on this site; an API's answer needs whole URLs, and
/// documents have links.
fn complete_links(value: &mut Value, public_url: &str, linking: Option<&Linking>) {
    match value {
        Value::Array(values) => {
            for value in values {
                complete_links(value, public_url, linking);
            }
        }
        Value::Object(map) => {
            if let Some(Value::String(url)) = map
                .get_mut("redirect_to_url")
                .and_then(|action| action.get_mut("url"))
                && url.starts_with('/')
            {
                url.insert_str(0, public_url);
            }
            if let Some(linking) = linking {
                link_document(map, public_url, linking);
            }
            for value in map.values_mut() {
                complete_links(value, public_url, linking);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What was done is done: if expanding it fails, it is answered without.
async fn expand(api: &Api, scope: &Scope, shows: &str, value: &mut Value, wanted: &Wanted) {
    if let Err(error) = expansion::expand(api, scope, shows, value, wanted).await {
        tracing::error!(?error, "an answer could not be expanded");
        fold(value, wanted);
    }
}

fn decode(incoming: &Incoming) -> Result<form::Branch, Problem> {
    let kind = incoming.headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/json") && !incoming.body.is_empty() {
        return Err(Problem::invalid(
            "Request bodies must be form-encoded (application/x-www-form-urlencoded), not JSON.",
        ));
    }
    // GET and DELETE carry their parameters in the query, POST in the body; both are read alike.
    let mut form = incoming.query.clone().into_bytes();
    if !incoming.body.is_empty() {
        form.push(b'&');
        form.extend_from_slice(&incoming.body);
    }
    form::decode(&form).map_err(|error| {
        let mut problem = Problem::invalid(error.to_string());
        problem.param = error.param().map(str::to_owned);
        if error == FormError::TooLarge {
            problem.status = StatusCode::PAYLOAD_TOO_LARGE;
        }
        problem
    })
}

fn too_large() -> Problem {
    Problem::invalid(FormError::TooLarge.to_string()).status(StatusCode::PAYLOAD_TOO_LARGE)
}

/// An error outside of any route.
pub(crate) fn plain(problem: &Problem) -> Response {
    respond(&Answer::of(&Err(problem.clone())), &HeaderMap::new(), "")
}

fn respond(answer: &Answer, request: &HeaderMap, request_id: &str) -> Response {
    let mut response = Response::new(Body::from(answer.body.clone()));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-store"),
    );
    let version = request.get("stripe-version").cloned();
    headers.insert(
        HeaderName::from_static("stripe-version"),
        version.unwrap_or(HeaderValue::from_static(API_VERSION)),
    );
    if let Ok(id) = HeaderValue::from_str(request_id)
        && !id.is_empty()
    {
        headers.insert(HeaderName::from_static("request-id"), id);
    }
    if let Some(key) = request.get("idempotency-key") {
        headers.insert(HeaderName::from_static("idempotency-key"), key.clone());
    }
    if answer.replayed {
        headers.insert(
            HeaderName::from_static("idempotent-replayed"),
            HeaderValue::from_static("true"),
        );
    }
    if answer.status == StatusCode::UNAUTHORIZED {
        headers.insert(
            WWW_AUTHENTICATE,
            HeaderValue::from_static("Basic realm=\"Perennial\""),
        );
    }
    response
}
