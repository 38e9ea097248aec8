//! Starting, killing and restarting the two servers.
//!
//! Each test owns its servers: a directory below the system's temporary one, a free port on
//! 127.0.0.1, a process that dies with the test. PostgreSQL refuses to run as root, so root runs it
//! as the user `postgres`; its directory is copied from a template that is made once per machine.

use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use tempfile::TempDir;

use crate::tools;
use crate::wire::{Client, Failure, Target};

mod oracle;

/// The superuser of both servers, which is also the database's name.
pub const SUPERUSER: &str = "kalamdb";
/// The superuser's password on KalamDB; the oracle asks for none.
pub const PASSWORD: &str = "correct horse battery staple";
/// How long a server may take to accept connections.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Which of the two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// PostgreSQL 15, the oracle.
    Postgres,
    /// KalamDB.
    KalamDb,
}

impl Product {
    /// What is held against the oracle: KalamDB, or a second PostgreSQL where
    /// `KALAMDB_COMPAT_PEER=postgres` asks whether the scripts themselves are deterministic.
    pub fn peer() -> Product {
        match std::env::var("KALAMDB_COMPAT_PEER").as_deref() {
            Ok("postgres") => Product::Postgres,
            _ => Product::KalamDb,
        }
    }
}

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Whether commits reach the device (PostgreSQL only; KalamDB always syncs).
    pub fsync: bool,
    /// Settings in the server's own words: `-c` of postgres, `--set` of kalamdb.
    pub set: Vec<(String, String)>,
    /// Further arguments.
    pub arguments: Vec<String>,
}

/// A running (or killed) server and its data.
#[derive(Debug)]
pub struct Server {
    product: Product,
    settings: Settings,
    home: TempDir,
    port: u16,
    process: Option<Process>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    output: Receiver<String>,
}

impl Server {
    /// Starts a fresh server.
    ///
    /// # Errors
    /// When it ends, or isn't ready in time; the text holds what it printed.
    pub fn start(product: Product) -> io::Result<Server> {
        Server::start_with(product, Settings::default())
    }

    /// Starts a fresh server with settings.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_with(product: Product, settings: Settings) -> io::Result<Server> {
        let home = tempfile::Builder::new().prefix("kalamdb-test-").tempdir()?;
        if product == Product::Postgres {
            oracle::make_directory(home.path())?;
        }
        let mut server = Server { product, settings, home, port: 0, process: None };
        server.launch()?;
        Ok(server)
    }

    /// Starts it again, on the same data, after [`Server::kill`] or [`Server::stop`].
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn launch(&mut self) -> io::Result<()> {
        // Another process may take the free port between the look and the start.
        for attempt in 0.. {
            self.port = free_port()?;
            match self.launch_once() {
                Ok(()) => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::AddrInUse && attempt < 5 => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn launch_once(&mut self) -> io::Result<()> {
        let mut command = match self.product {
            Product::Postgres => oracle::command(self.home.path(), self.port, &self.settings)?,
            Product::KalamDb => self.kalamdb_command()?,
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| {
            io::Error::new(e.kind(), format!("{:?} does not start: {e}", command.get_program()))
        })?;
        let (said, output) = channel();
        let log = self.log_path();
        for pipe in [
            child.stdout.take().map(|p| Box::new(p) as Box<dyn io::Read + Send>),
            child.stderr.take().map(|p| Box::new(p) as Box<dyn io::Read + Send>),
        ] {
            let (said, log) = (said.clone(), log.clone());
            let pipe = pipe.expect("both pipes were asked for");
            std::thread::spawn(move || follow(pipe, &log, &said));
        }
        let ready = match self.product {
            Product::Postgres => "database system is ready to accept connections",
            Product::KalamDb => "ready: postgres://",
        };
        let mut process = Process { child, output };
        let mut heard = String::new();
        loop {
            match process.output.recv_timeout(START_TIMEOUT) {
                Ok(line) if line.contains(ready) => break,
                Ok(line) => {
                    heard.push_str(&line);
                    heard.push('\n');
                }
                Err(RecvTimeoutError::Timeout) => {
                    let _ = process.child.kill();
                    let _ = process.child.wait();
                    return Err(io::Error::other(format!("not ready in time:\n{heard}")));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = process.child.wait()?;
                    let kind = if heard.contains("in use") {
                        io::ErrorKind::AddrInUse
                    } else {
                        io::ErrorKind::Other
                    };
                    return Err(io::Error::new(kind, format!("ended, {status}:\n{heard}")));
                }
            }
        }
        self.process = Some(process);
        Ok(())
    }

    fn kalamdb_command(&self) -> io::Result<Command> {
        let mut command = tools::dying_with_us(&tools::kalamdb()?);
        // The server takes its settings from such variables; the tests' own are none.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("KALAMDB_") {
                command.env_remove(name);
            }
        }
        command
            .env("KALAMDB_PASSWORD", PASSWORD)
            .arg("serve")
            .arg("--data")
            .arg(self.data())
            .arg("--listen")
            .arg(format!("127.0.0.1:{}", self.port));
        for (name, value) in &self.settings.set {
            command.arg("--set").arg(format!("{name}={value}"));
        }
        command.args(&self.settings.arguments);
        Ok(command)
    }

    /// Which server it is.
    pub fn product(&self) -> Product {
        self.product
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// What it printed so far, both streams.
    pub fn log_path(&self) -> PathBuf {
        self.home.path().join("log")
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id of the server's main process.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(|p| p.child.id())
    }

    /// Where the superuser connects.
    pub fn target(&self) -> Target {
        self.target_of(SUPERUSER, PASSWORD)
    }

    /// Where a role connects, to the default database.
    pub fn target_of(&self, user: &str, password: &str) -> Target {
        Target {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)),
            user: user.to_owned(),
            password: Some(password.to_owned()),
            database: SUPERUSER.to_owned(),
            parameters: Vec::new(),
        }
    }

    /// Connects as the superuser.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn connect(&self) -> Result<Client, Failure> {
        Client::connect(&self.target())
    }

    /// Connects as a role.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn connect_as(&self, user: &str, password: &str) -> Result<Client, Failure> {
        Client::connect(&self.target_of(user, password))
    }

    /// A connection string for drivers, as the superuser.
    pub fn url(&self) -> String {
        let password = PASSWORD.replace(' ', "%20");
        format!("postgres://{SUPERUSER}:{password}@127.0.0.1:{}/{SUPERUSER}", self.port)
    }

    /// The environment by which libpq programs find this server as the superuser.
    pub fn libpq_environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("PGHOST", "127.0.0.1".to_owned()),
            ("PGPORT", self.port.to_string()),
            ("PGUSER", SUPERUSER.to_owned()),
            ("PGDATABASE", SUPERUSER.to_owned()),
            ("PGPASSWORD", PASSWORD.to_owned()),
        ]
    }

    /// kill -9, and waits until the process is gone.
    ///
    /// # Errors
    /// The operating system's.
    pub fn kill(&mut self) -> io::Result<()> {
        if let Some(mut process) = self.process.take() {
            process.child.kill()?;
            process.child.wait()?;
        }
        Ok(())
    }

    /// SIGTERM (for PostgreSQL the fast shutdown's SIGINT), and the exit status.
    ///
    /// # Errors
    /// The operating system's, and when the server doesn't end in time.
    pub fn stop(&mut self) -> io::Result<Option<i32>> {
        let Some(mut process) = self.process.take() else { return Ok(None) };
        let signal = match self.product {
            Product::Postgres => "-INT",
            Product::KalamDb => "-TERM",
        };
        Command::new("kill").arg(signal).arg(process.child.id().to_string()).status()?;
        // Both pipes close when the process ends.
        loop {
            match process.output.recv_timeout(START_TIMEOUT) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    process.child.kill()?;
                    process.child.wait()?;
                    return Err(io::Error::other("the server ignores the signal to stop"));
                }
            }
        }
        Ok(process.child.wait()?.code())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // PostgreSQL's children notice their postmaster's death; SIGQUIT only makes it sooner.
            if self.product == Product::Postgres {
                let pid = process.child.id().to_string();
                let _ = Command::new("kill").arg("-QUIT").arg(pid).status();
            } else {
                let _ = process.child.kill();
            }
            let _ = process.child.wait();
        }
    }
}

/// Writes what the server prints into its log and, line by line, to who waits for it.
fn follow(pipe: Box<dyn io::Read + Send>, log: &Path, said: &std::sync::mpsc::Sender<String>) {
    let mut log = std::fs::File::options().create(true).append(true).open(log).ok();
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    while matches!(reader.read_until(b'\n', &mut line), Ok(n) if n > 0) {
        if let Some(log) = &mut log {
            let _ = io::Write::write_all(log, &line);
        }
        let text = String::from_utf8_lossy(&line);
        // Nobody listens once the server is ready; its log keeps the lines.
        let _ = said.send(text.trim_end().to_owned());
        line.clear();
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
