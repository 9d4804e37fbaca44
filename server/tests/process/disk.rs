//! The disk of the running process is full, or loses what it was told to keep.
//!
//! A small library that is loaded before libc (`preload/disk.rs`) makes the faults: writing to a file, or
//! having it kept, fails for as long as a file beside the database says so.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sqlx::Row as _;

use crate::business::{CHARGED, OUT, PAID, assert_all_billed_once, fall_due};
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

/// Lets the process of a site run on a disk that fails while the file `<order>.<fault>` is there;
/// answers with the order.
fn on_faulty_disk(site: &mut Site) -> String {
    let library = preload(site);
    let order = site.folder.join("fault").display().to_string();
    site.env = vec![("LD_PRELOAD", library), ("DISK_FAULT", order.clone())];
    order
}

async fn fails_for_a_while(fault: &str) {
    let mut site = Site::new(fault, false).await.unwrap();
    let order = on_faulty_disk(&mut site);
    site.start("0");
    let (customer, price) = site.stock();
    let form = format!("customer={customer}&items[0][price]={price}");
    site.post("/v1/subscriptions", &form);

    std::fs::write(format!("{order}.{fault}"), "").unwrap();
    for _ in 0..3 {
        let (status, answer) = site.try_post("/v1/subscriptions", &form).unwrap();
        assert_eq!(status, 503, "{answer}");
        assert_eq!(answer["error"]["type"], "api_error", "{answer}");
    }
    let (status, list) = site.get("/v1/subscriptions").unwrap();
    assert_eq!(
        (status, list["data"].as_array().unwrap().len()),
        (200, 1),
        "{list}"
    );

    std::fs::remove_file(format!("{order}.{fault}")).unwrap();
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

/// How often each address was written to, most often first, and how many addresses there are.
fn letters(folder: &Path) -> (usize, usize) {
    let mut counts = std::collections::HashMap::new();
    for kept in std::fs::read_dir(folder.join("test/new")).unwrap() {
        let text = std::fs::read_to_string(kept.unwrap().path()).unwrap();
        let to = text.lines().find_map(|line| line.strip_prefix("To: "));
        *counts.entry(to.unwrap().to_owned()).or_insert(0_usize) += 1;
    }
    (counts.values().copied().max().unwrap_or(0), counts.len())
}

async fn fails_in_the_middle_of_a_run(fault: &str) {
    const SUBSCRIPTIONS: i64 = 300;
    const MAILED: &str = "select count(*) as n from mail where state = 'sent'";
    let mut site = Site::new(&format!("{fault}_due"), false).await.unwrap();
    fall_due(&site, usize::try_from(SUBSCRIPTIONS).unwrap()).await;
    let order = on_faulty_disk(&mut site);
    site.start("200");
    // Some are paid, some are on their way to the bank, some are not begun; and receipts are leaving.
    site.wait_for_at_least(CHARGED, SUBSCRIPTIONS / 8).await;
    site.wait_for_at_least(MAILED, 8).await;
    std::fs::write(format!("{order}.{fault}"), "").unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let (paid, mailed) = (site.count(PAID).await, site.count(MAILED).await);
    assert!(
        paid < SUBSCRIPTIONS && mailed < SUBSCRIPTIONS,
        "{paid} paid, {mailed} mailed"
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    let later = (site.count(PAID).await, site.count(MAILED).await);
    assert_eq!(later, (paid, mailed), "nothing is kept meanwhile");
    let aside = "select count(*) as n from work_failure where id <> ''";
    assert_eq!(site.count(aside).await, 0, "the disk's fault is no row's");

    std::fs::remove_file(format!("{order}.{fault}")).unwrap();
    site.wait_for(PAID, SUBSCRIPTIONS + 1).await;
    site.wait_for(OUT, 0).await;
    assert_all_billed_once(&site, SUBSCRIPTIONS).await;
    let waiting = "select count(*) as n from mail where due_at is not null";
    site.wait_for(waiting, 0).await;
    let states = "select count(*) as n, sum(case when state = 'sent' then 1 else 0 end) as sent, \
                  sum(refusals) as refusals from mail";
    let row = site.row(states).await;
    let number = |name: &str| row.get::<i64, _>(name);
    assert_eq!(
        (number("n"), number("sent"), number("refusals")),
        (SUBSCRIPTIONS, SUBSCRIPTIONS, 0)
    );
    let addresses = usize::try_from(SUBSCRIPTIONS).unwrap();
    assert_eq!(letters(&site.mail()), (1, addresses));
    assert!(site.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_in_the_middle_of_a_run_and_of_its_mail_loses_nothing() {
    fails_in_the_middle_of_a_run("space").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_stops_keeping_in_the_middle_of_a_run_and_of_its_mail_loses_nothing() {
    fails_in_the_middle_of_a_run("sync").await;
}
