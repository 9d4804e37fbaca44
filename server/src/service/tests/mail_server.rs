//! A mail server for tests, on a port of its own: it does what it is told to, and keeps what it takes.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::mail::reading::Read;

/// What the server does with the next mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// It refuses for a time.
    Later,
    /// It refuses for good.
    Never,
    /// It does not know us.
    Stranger,
    /// It hangs up in the middle.
    HangUp,
    /// It takes the mail and hangs up before it says so.
    TakeAndHangUp,
}

#[derive(Clone)]
pub(crate) struct MailServer {
    pub(crate) address: SocketAddr,
    moods: Arc<Mutex<VecDeque<Mood>>>,
    taken: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl MailServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            moods: Arc::default(),
            taken: Arc::default(),
        };
        let own = server.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let own = own.clone();
                tokio::spawn(async move {
                    let _ = own.talk(connection).await;
                });
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// What it does with the next mails; after these it takes everything.
    pub(crate) fn will(&self, moods: &[Mood]) {
        self.moods.lock().unwrap().extend(moods);
    }

    /// What it has taken, oldest first.
    pub(crate) fn taken(&self) -> Vec<Read> {
        let taken = self.taken.lock().unwrap();
        taken.iter().map(|message| Read::of(message)).collect()
    }

    async fn talk(&self, connection: TcpStream) -> std::io::Result<()> {
        let (read, mut write) = connection.into_split();
        let mut lines = BufReader::new(read);
        write.write_all(b"220 test\r\n").await?;
        let (mut line, mut mood) = (String::new(), None);
        loop {
            line.clear();
            if lines.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let command = line.trim().to_ascii_uppercase();
            let answer = if command.starts_with("EHLO") {
                "250 test"
            } else if command.starts_with("MAIL") {
                mood = self.moods.lock().unwrap().pop_front();
                match mood {
                    Some(Mood::Later) => "451 try again later",
                    Some(Mood::Stranger) => "535 who are you",
                    Some(Mood::HangUp) => return Ok(()),
                    _ => "250 ok",
                }
            } else if command.starts_with("RCPT") && mood == Some(Mood::Never) {
                "550 no such mailbox"
            } else if command.starts_with("DATA") {
                write.write_all(b"354 go on\r\n").await?;
                let mut message = String::new();
                loop {
                    line.clear();
                    lines.read_line(&mut line).await?;
                    if line == ".\r\n" {
                        break;
                    }
                    message.push_str(line.strip_prefix('.').unwrap_or(&line));
                }
                self.taken.lock().unwrap().push(message.into_bytes());
                if mood == Some(Mood::TakeAndHangUp) {
                    return Ok(());
                }
                "250 taken"
            } else if command.starts_with("QUIT") {
                write.write_all(b"221 bye\r\n").await?;
                return Ok(());
            } else {
                "250 ok"
            };
            write.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
    }
}
