//! From a run to an object store and back, over HTTP.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use tg_e2e::{Done, Home, Tool, finish, has, object_store, plan};

/// A server that ends with the test.
struct Server {
    process: Child,
    endpoint: String,
    keys: [String; 2],
}

impl Server {
    fn start() -> Self {
        let mut process = Command::new(object_store())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it is");
        let mut words = line.split_whitespace().map(str::to_owned);
        let mut next = || words.next().expect("address and keys");
        Self { process, endpoint: next(), keys: [next(), next()] }
    }

    fn tg(&self, home: &Home, args: &[&str]) -> Done {
        let mut command = home.command(args);
        command.env("TG_S3_ENDPOINT", &self.endpoint);
        command.env("AWS_ACCESS_KEY_ID", &self.keys[0]).env("AWS_SECRET_ACCESS_KEY", &self.keys[1]);
        finish(&mut command)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[test]
fn a_run_is_published_as_it_goes_and_collected_elsewhere() {
    if !has(Tool::ObjectStore, "publishing a run and collecting it from there") {
        return;
    }
    let server = Server::start();
    let home = Home::new();
    let shell = plan("shell");
    let shell = shell.to_str().expect("UTF-8");
    let place = "s3://lab/runs";
    server.tg(&home, &["run", shell, "--case", "ok", "-n", "3", "--publish", place]).expect(0);
    let run = home.run();
    let id = run.dir.file_name().and_then(|name| name.to_str()).expect("an id").to_owned();
    server.tg(&home, &["collect", &id]).expect(0);
    let read = |path: &std::path::Path| fs::read(path).expect("a file");
    let local = read(&run.dir.join("dataset/files/part-0000.parquet"));

    // Elsewhere only the store is known; here its description says where the outputs are once the folder has none.
    let other = Home::new();
    server.tg(&other, &["collect", &id, "--source", place]).expect(0);
    let there = other.path().join("runs").join(&id);
    assert_eq!(read(&there.join("dataset/files/part-0000.parquet")), local);
    fs::remove_dir_all(run.dir.join("outputs")).expect("it can be removed");
    fs::remove_dir_all(run.dir.join("logs")).expect("it can be removed");
    fs::remove_file(run.dir.join("outputs.zip")).expect("it can be removed");
    server.tg(&home, &["collect", &id]).expect(0);
    assert_eq!(read(&run.dir.join("dataset/files/part-0000.parquet")), local);

    // The dataset in the store answers as the one in the folder does, and does not disturb the next collect.
    let published = format!("{place}/{id}");
    server.tg(&home, &["analyze", "stats", &published]).expect(30).says("--publish s3://BUCKET/PREFIX");
    server.tg(&home, &["collect", &id, "--publish", place]).expect(0);
    for question in ["stats", "queries"] {
        let of_folder = server.tg(&home, &["analyze", question, &id, "--format", "json"]);
        let of_store = server.tg(&home, &["analyze", question, &published, "--format", "json"]);
        assert_eq!((of_store.code(), &of_store.stdout), (of_folder.code(), &of_folder.stdout), "{question}");
    }
    // Several of them at once answer as those of the home do, also where flags say where the store is.
    server.tg(&home, &["run", shell, "--case", "ok", "-n", "2", "--collect"]).expect(0);
    let names = home.runs().into_iter().filter_map(|run| Some(run.dir.file_name()?.to_str()?.to_owned()));
    let mut runs: Vec<String> = names.collect();
    runs.sort_by_key(|run| *run != id);
    server.tg(&home, &["collect", &runs[1], "--publish", place]).expect(0);
    let there: Vec<String> = runs.iter().map(|run| format!("{place}/{run}")).collect();
    let of_home = server.tg(&home, &["analyze", "stats", &runs[0], &runs[1], "--format", "json"]);
    let mut by_flag = other.command(["analyze", "stats", &there[0], &there[1], "--format", "json"]);
    by_flag.args(["--s3-endpoint", &server.endpoint]);
    by_flag.env("AWS_ACCESS_KEY_ID", &server.keys[0]).env("AWS_SECRET_ACCESS_KEY", &server.keys[1]);
    assert_eq!(finish(&mut by_flag).expect(0).stdout, of_home.expect(0).stdout);
    let again = Home::new();
    server.tg(&again, &["collect", &id, "--source", place, "--strict"]).expect(0);
    assert_eq!(read(&again.path().join("runs").join(&id).join("dataset/files/part-0000.parquet")), local);
    server.tg(&home, &["analyze", "stats", "s3://lab/nowhere"]).expect(30).says("no dataset in `s3://lab/nowhere`");
    server.tg(&home, &["analyze", "stats", "s3://"]).expect(2).says("s3://BUCKET/PREFIX");

    server.tg(&home, &["publish", "latest", "--to", "lab"]).expect(2).says("s3://BUCKET/PREFIX");
    let mut nowhere = home.command(["analyze", "stats", &published]);
    nowhere.env("TG_S3_ENDPOINT", "http://127.0.0.1:1").env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "b");
    finish(&mut nowhere).expect(23).says("http://127.0.0.1:1");
    let mut nowhere = home.command(["collect", &id, "--source", place, "--s3-endpoint", "http://127.0.0.1:1"]);
    nowhere.env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "b");
    finish(&mut nowhere).expect(23).says("http://127.0.0.1:1");
}
