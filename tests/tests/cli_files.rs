//! `zerogate submit TYPE --file PATH`: the file is uploaded first, then the input names it. Against a coordinator that
//! only writes down what it is asked, so that every byte of the requests can be looked at.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zerogate_tests::command::zerogate;

/// One request: its first line, its headers in lower case, its body.
struct Asked {
    line: String,
    headers: String,
    body: Vec<u8>,
}

#[test]
fn files_are_uploaded_before_the_task_that_names_them() -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let url = format!("http://{}", listener.local_addr()?);
    let answers = [
        json!({"file_id": "f-one", "sha256": "one", "bytes": 300_000}),
        json!({"file_id": "f-two", "sha256": "two", "bytes": 3}),
        json!({"task_id": "t-1", "status": "pending"}),
    ];
    let coordinator = thread::spawn(move || serve(&listener, &answers));
    let folder = tempfile::tempdir()?;
    let (book, extra) = (folder.path().join("book 1.xlsx"), folder.path().join("x"));
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    std::fs::write(&book, &bytes)?;
    std::fs::write(&extra, "abc")?;
    let (book, extra) = (
        book.display().to_string(),
        format!("entities.list={}", extra.display()),
    );
    let words = [
        "submit",
        "excel_processing",
        "--file",
        &book,
        "--file",
        &extra,
        "--param",
        "header=3",
    ];
    let also = ["--param", "as_of=2026-11-23", "-o", "json"];
    zerogate(Some(&url), &[&words[..], &also[..]].concat(), "")?.expect(0)?;
    let asked = coordinator
        .join()
        .ok()
        .context("the coordinator panicked")??;
    let [first, second, third] = &asked[..] else {
        anyhow::bail!("{} requests", asked.len())
    };
    ensure!(first.line.starts_with("POST /api/files "), "{}", first.line);
    ensure!(first.body == bytes, "the bytes arrived otherwise");
    ensure!(
        first.headers.contains("x-filename: book 1.xlsx"),
        "{}",
        first.headers
    );
    ensure!(second.body == b"abc", "the second file");
    ensure!(
        third.line.starts_with("POST /api/workflows/submit "),
        "{}",
        third.line
    );
    let body: Value = serde_json::from_slice(&third.body)?;
    let expected = json!({
        "workbook": {"file": "f-one"}, "entities": {"list": {"file": "f-two"}}, "header": 3, "as_of": "2026-11-23"
    });
    ensure!(body["input"] == expected, "{body:#}");
    Ok(())
}

#[test]
fn a_file_that_is_not_there_is_a_wrong_use() -> Result<()> {
    let words = ["submit", "excel_processing", "--file", "no-such.xlsx"];
    zerogate(Some("http://127.0.0.1:9"), &words, "")?.expect(2)?;
    let words = ["submit", "grant_timeline", "--file", "no-such.xlsx"];
    let ended = zerogate(Some("http://127.0.0.1:9"), &words, "")?.expect(2)?;
    ensure!(ended.stderr.contains("FIELD=PATH"), "{}", ended.stderr);
    Ok(())
}

/// Gives these answers, one a request, and returns what was asked.
fn serve(listener: &TcpListener, answers: &[Value]) -> Result<Vec<Asked>> {
    let mut asked = Vec::new();
    while asked.len() < answers.len() {
        let mut stream = BufReader::new(listener.accept()?.0);
        while let Some(request) = read(&mut stream)? {
            let answer = answers
                .get(asked.len())
                .context("one request too many")?
                .to_string();
            let head = format!(
                "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: {}",
                answer.len()
            );
            write!(stream.get_mut(), "{head}\r\n\r\n{answer}")?;
            asked.push(request);
            if asked.len() == answers.len() {
                break;
            }
        }
    }
    Ok(asked)
}

fn read(stream: &mut BufReader<TcpStream>) -> Result<Option<Asked>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut headers = String::new();
    while !headers.ends_with("\r\n\r\n") && headers != "\r\n" {
        stream.read_line(&mut headers)?;
    }
    let headers = headers.to_lowercase();
    let length = headers
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let body = match length {
        Some(length) => {
            let mut body = vec![0; length.trim().parse()?];
            stream.read_exact(&mut body)?;
            body
        }
        None => chunks(stream)?,
    };
    Ok(Some(Asked {
        line,
        headers,
        body,
    }))
}

/// A body in chunks.
fn chunks(stream: &mut BufReader<TcpStream>) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        stream.read_line(&mut size)?;
        let size = usize::from_str_radix(size.trim(), 16)?;
        let mut chunk = vec![0; size + 2];
        stream.read_exact(&mut chunk)?;
        if size == 0 {
            return Ok(body);
        }
        body.extend(&chunk[..size]);
    }
}
