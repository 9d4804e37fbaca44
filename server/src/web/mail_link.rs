//! What links in mails lead to. Looking changes nothing, because mail servers look too; what a link is
//! for happens when its page's button is pressed.

use app::locale::Words;
use app::portal::refused::Statement;
use app::ui::{Button, ButtonKind, Glyph};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use leptos::prelude::*;

use super::Web;
use super::notice::{self, Notice};
use super::request::Setting;
use super::style::{Brand, name_of};
use super::visit::{is_secret, set_cookie};
use crate::service::mails::links::Led;
use crate::store::mail::Purpose;

/// What a page of these says, and its button.
struct Said {
    title: String,
    text: String,
    glyph: Glyph,
    /// The words on the button, and what it posts beside.
    button: Option<(String, Option<&'static str>)>,
}

/// Finds where a link leads, and gives the answer the merchant's look and the reader's language.
async fn led(
    web: &Web,
    purpose: Purpose,
    secret: &str,
    setting: &Setting,
) -> Result<Led, Response> {
    let dead = || (StatusCode::GONE, Notice::DeadLink).into_response();
    if !is_secret(secret) {
        return Err(dead());
    }
    match web.engine.led_by(purpose, secret).await {
        Ok(Some(led)) => {
            setting.learn(
                Brand::of(&web.themes, &led.merchant, None),
                Some(led.locale),
            );
            if led.moved {
                return Err(dead());
            }
            Ok(led)
        }
        Ok(None) => Err(dead()),
        Err(error) => {
            tracing::error!(%error, "a mail's link can't be looked up");
            Err((StatusCode::SERVICE_UNAVAILABLE, Notice::Broken).into_response())
        }
    }
}

/// `GET /m/{secret}`: asks whether to come in.
pub async fn show(
    State(web): State<Web>,
    Path(secret): Path<String>,
    Extension(setting): Extension<Setting>,
) -> Response {
    let led = match led(&web, Purpose::Open, &secret, &setting).await {
        Ok(led) => led,
        Err(response) => return response,
    };
    let words = led.locale.words();
    if !led.alive {
        let said = Said {
            title: words.letter_open_old().to_owned(),
            text: words.letter_open_old_text().to_owned(),
            glyph: Glyph::Clock,
            button: Some((words.letter_open_again().to_owned(), Some("again"))),
        };
        return page(StatusCode::GONE, &setting, words, said);
    }
    let said = Said {
        title: words.letter_open_title().to_owned(),
        text: words.letter_open_text(&masked(&led), name_of(&led.merchant)),
        glyph: Glyph::Mail,
        button: Some((words.letter_open_go().to_owned(), None)),
    };
    page(StatusCode::OK, &setting, words, said)
}

/// `POST /m/{secret}`: comes in; or has the mail sent again where its link has ended.
pub async fn enter(
    State(web): State<Web>,
    Path(secret): Path<String>,
    Extension(setting): Extension<Setting>,
) -> Response {
    let led = match led(&web, Purpose::Open, &secret, &setting).await {
        Ok(led) => led,
        Err(response) => return response,
    };
    let words = led.locale.words();
    let done = match led.alive {
        true => web.engine.enter_from_mail(&led).await,
        false => web.engine.send_mail_again(&led).await.map(|()| None),
    };
    match done {
        Ok(Some((secret, landing))) => {
            let mut response = Redirect::to(&landing).into_response();
            set_cookie(&mut response, &secret, web.config.public.is_https());
            response
        }
        Ok(None) => {
            let said = Said {
                title: words.letter_open_sent().to_owned(),
                text: words.letter_open_sent_text().to_owned(),
                glyph: Glyph::Mail,
                button: None,
            };
            page(StatusCode::OK, &setting, words, said)
        }
        Err(error) => {
            tracing::error!(%error, "nobody could come in by a mail's link");
            (StatusCode::SERVICE_UNAVAILABLE, Notice::Broken).into_response()
        }
    }
}

/// `GET /u/{secret}`: asks whether to stop mails of this kind.
pub async fn ask_to_stop(
    State(web): State<Web>,
    Path(secret): Path<String>,
    Extension(setting): Extension<Setting>,
) -> Response {
    let led = match led(&web, Purpose::Unsubscribe, &secret, &setting).await {
        Ok(led) => led,
        Err(response) => return response,
    };
    let words = led.locale.words();
    let said = match wanted(&led) {
        true => {
            let (email, kind, merchant) = (masked(&led), kind(&led, words), name_of(&led.merchant));
            Said {
                title: words.letter_stop_title().to_owned(),
                text: words.letter_stop_text(&email, kind, merchant),
                glyph: Glyph::Mail,
                button: Some((words.letter_stop_go().to_owned(), None)),
            }
        }
        false => stopped(&led, words),
    };
    page(StatusCode::OK, &setting, words, said)
}

/// `POST /u/{secret}`: stops mails of this kind, at once: mail programs post here by themselves
/// (RFC 8058), so it asks for no page of ours. With `undo` they come again.
pub async fn stop(
    State(web): State<Web>,
    Path(secret): Path<String>,
    Extension(setting): Extension<Setting>,
    form: Bytes,
) -> Response {
    let led = match led(&web, Purpose::Unsubscribe, &secret, &setting).await {
        Ok(led) => led,
        Err(response) => return response,
    };
    let undo = form
        .split(|byte| *byte == b'&')
        .any(|field| field == b"undo=1");
    if let Err(error) = web.engine.switch_mail(&led, undo).await {
        tracing::error!(%error, "a reader's choice of mail could not be kept");
        return (StatusCode::SERVICE_UNAVAILABLE, Notice::Broken).into_response();
    }
    let words = led.locale.words();
    let said = match undo {
        true => Said {
            title: words.letter_undone_title().to_owned(),
            text: words.letter_undone_text(
                &masked(&led),
                kind(&led, words),
                name_of(&led.merchant),
            ),
            glyph: Glyph::Mail,
            button: None,
        },
        false => stopped(&led, words),
    };
    page(StatusCode::OK, &setting, words, said)
}

fn stopped(led: &Led, words: Words) -> Said {
    let (email, kind, merchant) = (masked(led), kind(led, words), name_of(&led.merchant));
    Said {
        title: words.letter_stopped_title().to_owned(),
        text: words.letter_stopped_text(&email, kind, merchant),
        glyph: Glyph::Check,
        button: Some((words.letter_stop_undo().to_owned(), Some("undo"))),
    }
}

fn wanted(led: &Led) -> bool {
    led.link.mail.kind.is_wanted(&led.customer.mail)
}

fn kind(led: &Led, words: Words) -> &'static str {
    let switch = led.link.mail.kind.switch();
    switch.map_or("", |switch| switch.label(words))
}

/// The reader's address, enough to know one's own by: whoever has the link may be somebody else.
fn masked(led: &Led) -> String {
    let email = led.customer.email.as_deref().unwrap_or_default();
    match email.split_once('@') {
        Some((name, host)) => {
            let first = name.chars().next().map(String::from).unwrap_or_default();
            format!("{first}…@{host}")
        }
        None => String::new(),
    }
}

fn page(status: StatusCode, setting: &Setting, words: Words, said: Said) -> Response {
    let (title, brand) = (said.title.clone(), setting.brand());
    notice::whole_page(status, brand, words, &title, || {
        let button = said.button.map(|(text, field)| {
            view! {
                <form method="post">
                    {field.map(|name| view! { <input type="hidden" name=name value="1" /> })}
                    <Button kind=ButtonKind::Primary submit=true>{text}</Button>
                </form>
            }
        });
        view! {
            <main id="content">
                <Statement glyph=said.glyph title=said.title detail=said.text>
                    {button}
                </Statement>
            </main>
        }
        .to_html()
    })
}
