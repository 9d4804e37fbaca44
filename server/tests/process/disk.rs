//! The disk of the running process is full, or loses what it was told to keep.
//!
//! A small library that is loaded before libc (`preload/disk.rs`) makes the faults: writing to a file, or
//! having it kept, fails for as long as a file beside the database says so.

use std::path::PathBuf;
use std::process::Command;

use crate::site::Site;

/// Compiles the library.
fn preload(site: &Site) -> String {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/process/preload/disk.rs");
    let library = site.folder.join("libdisk.so");
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let done = Command::new(compiler)
        .args([
            "--edition",
            "2024",
            "--crate-type",
            "cdylib",
            "-C",
            "panic=abort",
            "-o",
        ])
        .arg(&library)
        .arg(&source)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    library.display().to_string()
}

async fn fails_for_a_while(fault: &str) {
    let mut site = Site::new(fault, false).await.unwrap();
    let library = preload(&site);
    let order = site.folder.join("fault");
    site.env = vec![
        ("LD_PRELOAD", library),
        ("DISK_FAULT", order.display().to_string()),
    ];
    site.start("0");
    let (customer, price) = site.stock();
    let form = format!("customer={customer}&items[0][price]={price}");
    site.post("/v1/subscriptions", &form);

    std::fs::write(format!("{}.{fault}", order.display()), "").unwrap();
    for _ in 0..3 {
        let (status, answer) = site.try_post("/v1/subscriptions", &form).unwrap();
        assert!(status >= 500, "{status} {answer}");
        assert_eq!(answer["error"]["type"], "api_error", "{answer}");
    }
    let (status, list) = site.get("/v1/subscriptions").unwrap();
    assert_eq!(
        (status, list["data"].as_array().unwrap().len()),
        (200, 1),
        "{list}"
    );

    std::fs::remove_file(format!("{}.{fault}", order.display())).unwrap();
    let made = site.post("/v1/subscriptions", &form);
    assert_eq!(made["status"], "active", "{made}");
    assert!(site.stop());
    site.start("0");
    let (_, list) = site.get("/v1/subscriptions").unwrap();
    assert_eq!(list["data"].as_array().unwrap().len(), 2, "{list}");
    let (holds, said) = site.command(&["audit"]);
    assert!(holds, "{said}");
    assert!(site.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_loses_nothing() {
    fails_for_a_while("space").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_does_not_keep_refuses_and_loses_nothing() {
    fails_for_a_while("sync").await;
}
