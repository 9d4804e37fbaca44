//! What a browser gets.

mod crowd;
mod doors;
mod letters;
mod logs;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use perennial::id::CustomerId;
use tower::ServiceExt;

use super::limits::Limits;
use super::{Web, WebConfig, router};
use crate::gateway::sandbox;
use crate::service::portal::tests::house::House;
use crate::service::portal_sessions::NewPortalSession;
use crate::store::Store;

/// A server over a house.
pub(super) struct Site {
    pub(super) house: House,
    pub(super) app: Router,
}

/// An answer, read to its end.
pub(super) struct Got {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Got {
    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The cookie as a browser would send it back.
    pub(super) fn cookie(&self) -> String {
        let set = self.header("set-cookie");
        set.split(';').next().unwrap_or_default().to_owned()
    }
}

impl Site {
    pub(super) async fn new(store: Store, public: &str) -> Self {
        Self::limited(store, public, false).await
    }

    pub(super) async fn limited(store: Store, public: &str, limited: bool) -> Self {
        let house = House::new(store).await;
        let config = WebConfig {
            public: public.parse().unwrap(),
            trust_proxy: true,
            limited,
            dev: false,
        };
        let web = Web {
            limits: std::sync::Arc::new(Limits::default()),
            ..Web::new(house.world.engine.clone(), config)
        };
        let app = router(web, sandbox::router(house.world.bank.clone()));
        Self { house, app }
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Got {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Got {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    /// Asks for a page as a browser does.
    pub(super) async fn get(&self, path: &str, cookie: &str) -> Got {
        let request = Request::get(path)
            .header(header::ACCEPT, "text/html")
            .header(header::COOKIE, cookie);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Sends a form as our own pages do.
    pub(super) async fn post(&self, path: &str, cookie: &str, form: &str) -> Got {
        let request = Request::post(path)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_LENGTH, form.len())
            .header(header::COOKIE, cookie);
        self.send(request.body(Body::from(form.to_owned())).unwrap())
            .await
    }

    /// A fresh link's path.
    pub(super) async fn link(&self, customer: &CustomerId) -> String {
        let world = &self.house.world;
        let new = NewPortalSession {
            customer: customer.clone(),
            configuration: Some(self.house.rules.clone()),
            return_url: Some("https://halden.example/account".to_owned()),
            locale: Some("fr".to_owned()),
            flow: None,
        };
        let made = world.engine.create_portal_session(&world.scope, new).await;
        format!("/p/{}", made.unwrap().1)
    }
}
