//! A browser, as far as signing in needs one: it keeps cookies, follows redirects and fills forms.

use reqwest::{Client, Url};

use super::PUBLIC;
use crate::app::{Reply, TestApp};

#[derive(Debug, Clone)]
struct Cookie {
    /// Scheme, host and port.
    origin: String,
    path: String,
    name: String,
    value: String,
}

/// Cookies, and nothing else.
#[derive(Debug, Clone, Default)]
pub(super) struct Browser {
    cookies: Vec<Cookie>,
    /// What the last reply of the server set.
    pub(super) set_cookie: Vec<String>,
}

impl Browser {
    /// What is sent with requests of that path.
    pub(super) fn cookies_of(&self, origin: &str, path: &str) -> String {
        let fitting = self.cookies.iter().filter(|cookie| cookie.origin == origin && path.starts_with(&cookie.path));
        fitting.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect::<Vec<_>>().join("; ")
    }

    fn keep(&mut self, origin: &str, line: &str) {
        let mut parts = line.split("; ");
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let attributes: Vec<String> = parts.map(str::to_ascii_lowercase).collect();
        let path = attributes.iter().find_map(|one| one.strip_prefix("path=")).unwrap_or("/").to_owned();
        self.cookies.retain(|one| one.origin != origin || one.name != name || !one.path.eq_ignore_ascii_case(&path));
        if !value.is_empty() && !attributes.iter().any(|one| one == "max-age=0") {
            let path = line.split("; ").find_map(|one| one.strip_prefix("path=").or(one.strip_prefix("Path=")));
            let path = path.unwrap_or("/").to_owned();
            self.cookies.push(Cookie {
                origin: origin.to_owned(),
                path,
                name: name.to_owned(),
                value: value.to_owned(),
            });
        }
    }

    /// Changes a character of every value.
    pub(super) fn spoil_cookies(&mut self) {
        for cookie in &mut self.cookies {
            let last = if cookie.value.ends_with('0') { '1' } else { '0' };
            cookie.value.pop();
            cookie.value.push(last);
        }
    }

    /// Asks the server for a path.
    async fn ask(&mut self, app: &TestApp, path: &str) -> Reply {
        let reply = app.request("GET", path).header("Cookie", &self.cookies_of(PUBLIC, path)).send().await;
        self.set_cookie = reply.headers("set-cookie").into_iter().map(str::to_owned).collect();
        for line in self.set_cookie.clone() {
            self.keep(PUBLIC, &line);
        }
        reply
    }

    /// Begins to sign in: the address at the provider.
    pub(super) async fn begin(&mut self, app: &TestApp, query: &str) -> String {
        let reply = self.ask(app, &format!("/session/oidc/begin{query}")).await;
        assert_eq!(reply.status, 303, "{reply:?}");
        reply.header("location").unwrap().to_owned()
    }

    /// Signs in at the provider, with any password, and agrees to everything: the address to which it sends back.
    pub(super) async fn sign_in_there(&mut self, address: &str, name: &str) -> String {
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let mut url = Url::parse(address).unwrap();
        let mut form: Option<Vec<(&str, &str)>> = None;
        for _ in 0..20 {
            let origin = url.origin().ascii_serialization();
            let cookies = self.cookies_of(&origin, url.path());
            let request = match form.take() {
                Some(fields) => client.post(url.clone()).form(&fields),
                None => client.get(url.clone()),
            };
            let response = request.header("Cookie", cookies).send().await.unwrap();
            for line in response.headers().get_all("set-cookie") {
                self.keep(&origin, line.to_str().unwrap());
            }
            if let Some(location) = response.headers().get("location") {
                url = url.join(location.to_str().unwrap()).unwrap();
                if url.as_str().starts_with(PUBLIC) {
                    return url.into();
                }
                continue;
            }
            let page = response.text().await.unwrap();
            let (_, action) = page.split_once("action=\"").unwrap_or_else(|| panic!("no form: {page}"));
            url = url.join(action.split_once('"').unwrap().0).unwrap();
            let is_login = page.contains("name=\"login\"");
            form = Some(if is_login {
                vec![("prompt", "login"), ("login", name), ("password", "any")]
            } else {
                vec![("prompt", "consent")]
            });
        }
        panic!("the provider does not come to an end: {url}");
    }

    /// Comes back from the provider.
    pub(super) async fn come_back(&mut self, app: &TestApp, address: &str) -> Reply {
        self.ask(app, address.strip_prefix(PUBLIC).unwrap()).await
    }

    /// All of it.
    pub(super) async fn sign_in(&mut self, app: &TestApp, name: &str) -> Reply {
        let to_provider = self.begin(app, "").await;
        let back = self.sign_in_there(&to_provider, name).await;
        self.come_back(app, &back).await
    }
}
