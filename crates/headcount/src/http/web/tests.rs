use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;

use super::*;

fn some_files(name: &str) -> Option<Cow<'static, [u8]>> {
    let content = match name {
        "index.html" => "the page",
        "index.html.br" => "the page, by brotli",
        "assets/main-1a2b.js" => "a script",
        "assets/main-1a2b.js.gz" => "a script, by gzip",
        "icon.svg" => "an icon",
        "secret.txt" => "of no kind that is served",
        _ => return None,
    };
    Some(Cow::Borrowed(content.as_bytes()))
}

fn no_files(_name: &str) -> Option<Cow<'static, [u8]>> {
    None
}

/// The type, the caching, the encoding and the text of the answer.
async fn answered(files: Files, method: &str, path: &str, accepted: &str) -> Option<[String; 4]> {
    let request = Request::builder().method(method).uri(path).header("accept-encoding", accepted);
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let (head, body) = answer_from(files, &parts)?.into_parts();
    let said = |name| head.headers.get(name).map_or("", |value: &HeaderValue| value.to_str().unwrap()).to_owned();
    assert_eq!(said(header::CONTENT_SECURITY_POLICY), POLICY);
    assert_eq!(said(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
    let text = String::from_utf8(Body::new(body).collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Some([said(header::CONTENT_TYPE), said(header::CACHE_CONTROL), said(header::CONTENT_ENCODING), text])
}

#[tokio::test]
async fn pages_and_files_are_served_in_the_best_encoding() {
    let html = "text/html; charset=utf-8";
    let javascript = "text/javascript; charset=utf-8";
    let for_ever = "public, max-age=31536000, immutable";
    let cases = [
        ("/", "gzip, br", [html, "no-cache", "br", "the page, by brotli"]),
        ("/", "gzip, br;q=0", [html, "no-cache", "", "the page"]),
        ("/sign-in", "", [html, "no-cache", "", "the page"]),
        ("/sign-in/again?next=/", "", [html, "no-cache", "", "the page"]),
        ("/assets/main-1a2b.js", "br, gzip", [javascript, for_ever, "gzip", "a script, by gzip"]),
        ("/assets/main-1a2b.js", "identity", [javascript, for_ever, "", "a script"]),
        ("/icon.svg", "br", ["image/svg+xml", "no-cache", "", "an icon"]),
    ];
    for (path, accepted, expected) in cases {
        assert_eq!(answered(some_files, "GET", path, accepted).await, Some(expected.map(str::to_owned)), "{path}");
    }
}

#[tokio::test]
async fn nothing_else_is_answered() {
    for (method, path) in [
        ("POST", "/"),
        ("HEAD", "/"),
        ("GET", "//"),
        ("GET", "//sign-in"),
        ("GET", "/sign-ins"),
        ("GET", "/nothing"),
        ("GET", "/assets/"),
        ("GET", "/assets/other.js"),
        ("GET", "/secret.txt"),
        ("GET", "/index.html.br"),
    ] {
        assert_eq!(answered(some_files, method, path, "br").await, None, "{method} {path}");
    }
}

#[tokio::test]
async fn without_files_a_page_says_how_to_get_them() {
    let [kind, caching, encoding, text] = answered(no_files, "GET", "/", "br").await.unwrap();
    assert_eq!([kind.as_str(), &caching, &encoding], ["text/html; charset=utf-8", "no-cache", ""]);
    assert!(text.contains("<code>make run</code>"), "{text}");
    assert_eq!(answered(no_files, "GET", "/assets/main-1a2b.js", "br").await, None);
}
