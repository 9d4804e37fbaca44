use clap::{CommandFactory, Parser};

use super::{Cli, Command, DatabaseUrl, PublicUrl};

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn public_urls() {
    let check = |text: &str, expected: Option<&str>| {
        let read = text.parse::<PublicUrl>().ok();
        assert_eq!(read.as_ref().map(PublicUrl::origin), expected, "{text}");
    };
    check("http://127.0.0.1:3000", Some("http://127.0.0.1:3000"));
    check(
        "https://Billing.Example.com/",
        Some("https://billing.example.com"),
    );
    check(
        "https://billing.example.com:443",
        Some("https://billing.example.com"),
    );
    check("http://[::1]:80", Some("http://[::1]"));
    check("https://billing.example.com/portal", None);
    check("https://user:secret@billing.example.com", None);
    check("ftp://billing.example.com", None);
    check("billing.example.com", None);
    check("https://", None);
    check("https://a\nb", None);
}

#[test]
fn a_password_is_not_shown() {
    let url: DatabaseUrl = "postgres://halden:hunter2@db/halden".parse().unwrap();
    assert_eq!(format!("{url:?}"), "postgres:…");
    let cli = Cli::try_parse_from(["perennial", "serve", "--database", url.as_str()]).unwrap();
    assert!(!format!("{cli:?}").contains("hunter2"));
}

#[test]
fn wrong_settings_are_refused_by_name() {
    let check = |arguments: &[&str], named: &str| {
        let error = Cli::try_parse_from(arguments).unwrap_err().to_string();
        assert!(error.contains(named), "{arguments:?}: {error}");
    };
    check(&["perennial", "serve", "--listen", "nowhere"], "--listen");
    check(
        &["perennial", "serve", "--database", "mysql://x"],
        "--database",
    );
    check(&["perennial", "serve", "--public-url", "x"], "--public-url");
    check(&["perennial", "merchant", "create"], "--name");
    check(
        &["perennial", "merchant", "create", "--name", "  "],
        "--name",
    );
}

#[test]
fn every_variable_stands_in_the_example() {
    let example = include_str!("../../../.env.example");
    let mut commands = vec![Cli::command()];
    while let Some(command) = commands.pop() {
        for argument in command.get_arguments() {
            if let Some(variable) = argument.get_env() {
                let line = format!("#{}=", variable.to_string_lossy());
                assert!(example.contains(&line), "{line}");
            }
        }
        commands.extend(command.get_subcommands().cloned());
    }
}

#[test]
fn the_public_url_follows_the_address() {
    let Command::Serve(config) =
        Cli::try_parse_from(["perennial", "serve", "--listen", "127.0.0.1:4000"])
            .unwrap()
            .command
    else {
        panic!("serve is serve");
    };
    if std::env::var_os("PERENNIAL_PUBLIC_URL").is_none() {
        assert_eq!(config.public_url().origin(), "http://127.0.0.1:4000");
    }
}
