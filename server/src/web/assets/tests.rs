use super::*;
use axum::body::to_bytes;

static FILES: &[Embedded] = &[
    Embedded {
        path: "/pkg/app.0a.js",
        body: b"script",
        brotli: Some(b"br"),
        gzip: Some(b"gz"),
    },
    Embedded {
        path: "/pkg/app.0b.wasm",
        body: b"wasm",
        brotli: None,
        gzip: Some(b"gz"),
    },
    Embedded {
        path: "/pkg/parts.0c/parts.txt",
        body: b"about chunk_4.wasm split_about.wasm\npaying split_paying.wasm\n",
        brotli: None,
        gzip: None,
    },
    Embedded {
        path: "/fonts/text.woff2",
        body: b"font",
        brotli: None,
        gzip: None,
    },
    Embedded {
        path: "/icons/icon.svg",
        body: b"icon",
        brotli: None,
        gzip: None,
    },
];

fn get(path: &str, headers: &[(&'static str, &str)]) -> Response {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_str(value).unwrap());
    }
    Site::new(FILES).answer(path, &map)
}

fn header_of<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

#[test]
fn a_site_of_other_sources_is_told_from_its_own() {
    let file = |path: &'static str, body: &'static [u8]| Embedded {
        path,
        body,
        brotli: None,
        gzip: None,
    };
    let scripts = || {
        [
            file("/pkg/app.0a.js", b"js"),
            file("/pkg/app.0b.wasm", b"wasm"),
        ]
    };
    let own = app::site::BUILD.as_bytes();
    assert_eq!(own.len(), 16);
    let cases: [(Option<&'static [u8]>, Option<&str>); 3] = [
        (Some(own), None),
        (Some(b"0123456789abcdef\n"), Some("0123456789abcdef")),
        (None, Some("unknown")),
    ];
    for (said, expected) in cases {
        let files = scripts().into_iter();
        let files = files.chain(said.map(|body| file(BUILD, body)));
        let files: &'static [Embedded] = files.collect::<Vec<_>>().leak();
        assert_eq!(Site::new(files).other_build(), expected);
    }
    assert_eq!(Site::new(&[]).other_build(), None, "no site");
}

#[test]
fn the_list_of_parts_names_their_files() {
    #[track_caller]
    fn check(name: &str, expected: &[&str]) {
        let site = Site::new(FILES);
        let found = site.parts.get(name).map_or(&[][..], Vec::as_slice);
        assert_eq!(found, expected, "{name}");
    }
    let about = "/pkg/parts.0c/chunk_4.wasm";
    check("about", &[about, "/pkg/parts.0c/split_about.wasm"]);
    check("paying", &["/pkg/parts.0c/split_paying.wasm"]);
    check("nothing", &[]);
}

#[test]
fn a_browser_gets_the_coding_it_likes_best() {
    #[track_caller]
    fn check(accepted: &str, expected: Coding) {
        assert_eq!(choose(accepted, true, true), expected, "{accepted}");
    }
    check("gzip, deflate, br, zstd", Coding::Brotli);
    check("gzip, deflate", Coding::Gzip);
    check("GZIP", Coding::Gzip);
    check("br;q=0.5, gzip;q=0.8", Coding::Gzip);
    check("br; q=0.8, gzip;q=0.80", Coding::Brotli);
    check("br;q=0, gzip", Coding::Gzip);
    check("br;q=0, gzip;q=0.000", Coding::Identity);
    check("*", Coding::Brotli);
    check("br;q=0, *;q=0.1", Coding::Gzip);
    check("*;q=0", Coding::Identity);
    check("br;q=many", Coding::Identity);
    check("br;q=0.001", Coding::Brotli);
    check("brotli, x-gzip", Coding::Identity);
    check("", Coding::Identity);
    assert_eq!(choose("br, gzip", false, true), Coding::Gzip);
    assert_eq!(choose("br, gzip", false, false), Coding::Identity);
}

#[tokio::test]
async fn a_compressed_twin_says_what_it_is() {
    let answer = get("/pkg/app.0a.js", &[("accept-encoding", "br")]);
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(header_of(&answer, "content-encoding"), "br");
    assert_eq!(
        header_of(&answer, "content-type"),
        "text/javascript; charset=utf-8"
    );
    assert_eq!(header_of(&answer, "cache-control"), FOR_EVER);
    assert_eq!(header_of(&answer, "vary"), "Accept-Encoding");
    assert_eq!(to_bytes(answer.into_body(), 100).await.unwrap(), "br");
}

#[tokio::test]
async fn a_file_without_twins_is_sent_as_it_is() {
    let answer = get("/fonts/text.woff2", &[("accept-encoding", "br, gzip")]);
    assert_eq!(header_of(&answer, "content-encoding"), "");
    assert_eq!(header_of(&answer, "content-type"), "font/woff2");
    assert_eq!(header_of(&answer, "cache-control"), FOR_EVER);
    assert_eq!(header_of(&answer, "vary"), "");
    assert_eq!(to_bytes(answer.into_body(), 100).await.unwrap(), "font");
}

#[test]
fn what_a_browser_has_is_not_sent_again() {
    let path = "/pkg/app.0a.js";
    let tag = header_of(&get(path, &[("accept-encoding", "br")]), "etag").to_owned();
    #[track_caller]
    fn check(path: &str, accepted: &str, known: &str, expected: StatusCode) {
        let answer = get(
            path,
            &[("accept-encoding", accepted), ("if-none-match", known)],
        );
        assert_eq!(answer.status(), expected, "{known}");
        assert_ne!(header_of(&answer, "etag"), "");
    }
    check(path, "br", &tag, StatusCode::NOT_MODIFIED);
    check(path, "br", &format!("W/{tag}"), StatusCode::NOT_MODIFIED);
    check(
        path,
        "br",
        &format!("\"other\", {tag}"),
        StatusCode::NOT_MODIFIED,
    );
    check(path, "br", "*", StatusCode::NOT_MODIFIED);
    check(path, "br", "\"other\"", StatusCode::OK);
    // The same file in another coding is another thing.
    check(path, "gzip", &tag, StatusCode::OK);
}

#[test]
fn only_what_has_a_stable_name_is_asked_for_again() {
    #[track_caller]
    fn check(path: &str, expected: &str) {
        assert_eq!(header_of(&get(path, &[]), "cache-control"), expected);
    }
    check("/pkg/app.0b.wasm", FOR_EVER);
    check("/fonts/text.woff2", FOR_EVER);
    check("/icons/icon.svg", FOR_A_DAY);
}

#[test]
fn an_unknown_path_is_not_found() {
    for path in [
        "/pkg/app.js",
        "/pkg/../Cargo.toml",
        "/fonts/",
        "/pkg/app.0a.js/",
        "/etc/passwd",
    ] {
        assert_eq!(get(path, &[]).status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[test]
fn the_page_shell_learns_both_names() {
    let expected = Bundle {
        js: "/pkg/app.0a.js",
        wasm: "/pkg/app.0b.wasm",
    };
    assert_eq!(Site::new(FILES).bundle(), Some(expected));
    assert_eq!(Site::new(&FILES[1..]).bundle(), None);
}

#[test]
fn a_packed_twin_counts_only_while_it_is_fresh() {
    let root = std::env::temp_dir().join(format!("perennial-assets-{}", std::process::id()));
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("target/site/pkg/app.0a.js", "script");
    write("target/site/pkg/app.0a.js.br", "br");
    write("public/same.svg", "new");
    write("public/old.svg", "new");
    write("public/.hidden", "no");
    for (name, packed) in [("same.svg", "new"), ("old.svg", "old")] {
        write(&format!("target/site/public/{name}"), packed);
        write(&format!("target/site/public/{name}.br"), "br");
    }
    let files = read(&root).unwrap();
    fs::remove_dir_all(&root).unwrap();
    let seen: Vec<_> = files
        .iter()
        .map(|file| (file.path, file.brotli.is_some()))
        .collect();
    let expected = [
        ("/old.svg", false),
        ("/pkg/app.0a.js", true),
        ("/same.svg", true),
    ];
    assert_eq!(seen, expected);
}
