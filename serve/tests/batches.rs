//! Requests that wait: gathered, given up, too many, and those of a server that stops.

mod common;

use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use gradus_nn::*;
use gradus_serve::Server;
use gradus_tensor::{Generator, Tensor};

#[test]
fn a_panic_is_a_500_and_the_server_goes_on() {
    let running = spawn(Gate(0).server(&[1]));
    assert!(refused(&predict(running.address(), &one(13)), 500).contains("panicked"));
    assert_eq!(predict(running.address(), &one(7)).body, r#"{"predictions":[[7.0]]}"#);
    let figures = get(running.address(), "/metrics").body;
    assert!(figures.contains("gradus_samples_total{model=\"m\"} 1\n"), "what panics is not predicted: {figures}");
    running.stop().unwrap();
}

/// Two requests are one batch: what is wrong with one of them is answered to it alone.
#[test]
fn a_request_does_not_fail_those_gathered_with_it() {
    let running = spawn(Gate(0).server(&[1]).batch(2).delay(Duration::MAX));
    let address = running.address();
    let mut bad = asked(address, 13);
    assert_eq!(predict(address, &one(7)).body, r#"{"predictions":[[7.0]]}"#);
    assert!(refused(&read(&mut bad), 500).contains("panicked"));
    running.stop().unwrap();
}

#[test]
fn a_full_queue_is_a_503_with_retry_after() {
    let gate = Gate(1);
    let running = spawn(gate.clone().server(&[1]).queue(2).batch(1));
    let address = running.address();
    let mut taken = vec![asked(address, 1000)];
    gate.entered(1);
    taken.extend((0..2).map(|_| asked(address, 1000)));
    figures_with(address, "gradus_queue_length{model=\"m\"} 2");
    for _ in 0..3 {
        let answer = predict(address, &one(1000));
        assert!(answer.head.to_lowercase().contains("retry-after: 1"), "{}", answer.head);
        assert!(refused(&answer, 503).contains("2 requests wait already"));
    }
    gate.open();
    for stream in &mut taken {
        assert_eq!(read(stream).body, r#"{"predictions":[[1000.0]]}"#);
    }
    running.stop().unwrap();
}

/// Requests that come while others are predicted are one batch, within its bound.
#[test]
fn requests_are_gathered_up_to_the_bound() {
    let gate = Gate(2);
    let running = spawn(gate.clone().server(&[1]).batch(3));
    let address = running.address();
    let mut first = asked(address, 1000);
    gate.entered(1);
    let mut others: Vec<_> = (0..7).map(|i| asked(address, i)).collect();
    figures_with(address, "gradus_queue_length{model=\"m\"} 7");
    gate.open();
    assert_eq!(read(&mut first).body, r#"{"predictions":[[1000.0]]}"#);
    for (i, stream) in others.iter_mut().enumerate() {
        assert_eq!(read(stream).body, format!("{{\"predictions\":[[{i}.0]]}}"));
    }
    // Batches of 1, 3, 3 and 1.
    let figures = get(address, "/metrics").body;
    assert!(figures.contains("gradus_batch_samples_count{model=\"m\"} 4"), "{figures}");
    assert!(figures.contains("gradus_batch_samples_bucket{model=\"m\",le=\"2\"} 2"), "{figures}");
    running.stop().unwrap();
}

/// A request of more samples than a batch is several, and a small one is answered in between.
#[test]
fn a_large_request_is_predicted_batch_by_batch() {
    let gate = Gate(3);
    let running = spawn(gate.clone().server(&[1]).batch(4));
    let address = running.address();
    // The last batch of the large request waits at the gate.
    let numbers: Vec<String> = (0..1999).map(|i| format!("[{}]", i % 10)).chain(["[1000]".to_owned()]).collect();
    let mut large = connect(address);
    let body = format!("{{\"instances\": [{}]}}", numbers.join(","));
    std::io::Write::write_all(&mut large, &request("/v1/models/m:predict", &body)).unwrap();
    gate.entered(1);
    let mut small = asked(address, 7);
    figures_with(address, "gradus_queue_length{model=\"m\"} 1");
    gate.open();
    assert_eq!(read(&mut small).body, r#"{"predictions":[[7.0]]}"#);
    let expected: Vec<String> = (0..1999).map(|i| format!("[{}.0]", i % 10)).chain(["[1000.0]".to_owned()]).collect();
    assert_eq!(read(&mut large).body, format!("{{\"predictions\":[{}]}}", expected.join(",")));
    let figures = get(address, "/metrics").body;
    assert!(figures.contains("gradus_batch_samples_count{model=\"m\"} 501"), "{figures}");
    running.stop().unwrap();
}

#[test]
fn a_request_that_takes_too_long_is_a_504() {
    let gate = Gate(4);
    let running = spawn(gate.clone().server(&[1]).batch(1).timeout(Duration::from_millis(200)));
    let address = running.address();
    let mut computed = asked(address, 1000);
    gate.entered(1);
    let mut waiting = asked(address, 7);
    for stream in [&mut computed, &mut waiting] {
        assert!(refused(&read(stream), 504).contains("not there within 0.2 s"));
    }
    // Who waits no longer stands in the queue no longer, though the model still computes.
    figures_with(address, "gradus_queue_length{model=\"m\"} 0");
    gate.open();
    figures_with(address, "gradus_request_bytes{model=\"m\"} 0");
    assert_eq!(predict(address, &one(7)).status, 200);
    // Of the one that was waiting, nothing has been predicted.
    let figures = get(address, "/metrics").body;
    assert!(figures.contains("gradus_samples_total{model=\"m\"} 2\n"), "{figures}");
    running.stop().unwrap();
}

#[test]
fn who_has_gone_is_not_answered_and_who_has_half_closed_is() {
    let gate = Gate(5);
    let running = spawn(gate.clone().server(&[1]).batch(1));
    let address = running.address();
    let mut first = asked(address, 1000);
    gate.entered(1);
    let gone = asked(address, 7);
    figures_with(address, "gradus_queue_length{model=\"m\"} 1");
    drop(gone);
    figures_with(address, "gradus_requests_total{model=\"m\",code=\"499\"} 1");
    figures_with(address, "gradus_queue_length{model=\"m\"} 0");
    gate.open();
    assert_eq!(read(&mut first).status, 200);
    running.stop().unwrap();

    let gate = Gate(6);
    let running = spawn(gate.clone().server(&[1]).batch(1));
    let mut half = asked(running.address(), 1000);
    half.shutdown(Shutdown::Write).unwrap();
    gate.entered(1);
    // Long enough for the server to have seen the close.
    thread::sleep(Duration::from_millis(50));
    gate.open();
    assert_eq!(read(&mut half).body, r#"{"predictions":[[1000.0]]}"#);
    running.stop().unwrap();
}

/// Whoever else asks, an answer has the bits of the sample alone. The network is one whose kernels differ by size, at least
/// on common processors.
#[test]
fn answers_do_not_depend_on_who_else_asks() {
    let network = Sequential::new().add(Dense::new(300).activation(Activation::Tanh)).add(Dense::new(3));
    let model = Model::build(network, [700], 42).unwrap();
    let samples: Tensor = Generator::new(1).uniform([40, 700], -1.0..1.0);
    let alone = |i: usize| bits_of(&model.predict(samples.slice(0, i..i + 1)).unwrap());

    let running = spawn(Server::new(model.clone()).delay(Duration::from_millis(50)));
    let address = running.address();
    let body = |rows: std::ops::Range<usize>| format!("{{\"instances\": {}}}", json(&samples.slice(0, rows)));
    let asked: Vec<_> = (0..20).map(|i| (i, body(2 * i..2 * i + 2))).collect();
    let asked: Vec<_> =
        asked.into_iter().map(|(i, body)| (i, thread::spawn(move || predict(address, &body)))).collect();
    for (i, thread) in asked {
        assert_eq!(
            bits(&thread.join().unwrap().body),
            [alone(2 * i), alone(2 * i + 1)].concat(),
            "samples from {}",
            2 * i
        );
    }
    running.stop().unwrap();

    // In groups of 8, the bits are those of any batch of 8 with the sample in it.
    let running = spawn(Server::new(model.clone()).group(8));
    for (i, rows) in [(0, 0..8), (5, 0..8), (39, 32..40)] {
        let batch = bits_of(&model.predict(samples.slice(0, rows.clone())).unwrap());
        let place = i - rows.start;
        let found = bits(&predict(running.address(), &body(i..i + 1)).body);
        assert_eq!(found, batch[3 * place..3 * place + 3], "sample {i}");
        let found = bits(&predict(running.address(), &body(0..13)).body);
        assert_eq!(found[..24], bits_of(&model.predict(samples.slice(0, 0..8)).unwrap()));
    }
    running.stop().unwrap();
}

#[test]
fn a_stop_answers_what_was_taken() {
    let gate = Gate(7);
    let running = spawn(gate.clone().server(&[1]).batch(1));
    let address = running.address();
    let mut taken = vec![asked(address, 1000)];
    gate.entered(1);
    taken.extend((0..2).map(|_| asked(address, 1000)));
    figures_with(address, "gradus_queue_length{model=\"m\"} 2");
    let idle = connect(address);
    let stopped = thread::spawn(|| running.stop());
    eventually("no more connections", || TcpStream::connect(address).err());
    gate.open();
    for stream in &mut taken {
        assert_eq!(read(stream).body, r#"{"predictions":[[1000.0]]}"#);
    }
    stopped.join().unwrap().unwrap();
    drop(idle);
}

/// A request whose client has gone, and one that takes too long, hold no stop up.
#[test]
fn a_stop_does_not_wait_for_what_nobody_waits_for() {
    for (gate, is_dropped) in [(Gate(8), true), (Gate(9), false)] {
        let running = spawn(gate.clone().server(&[1]).stop_within(Duration::from_millis(300)));
        let address = running.address();
        let mut stream = Some(asked(address, 1000));
        gate.entered(1);
        if is_dropped {
            stream = None;
            figures_with(address, "gradus_requests_total{model=\"m\",code=\"499\"} 1");
        }
        let begun = Instant::now();
        running.stop().unwrap();
        // The gate is closed for a minute.
        assert!(begun.elapsed() < Duration::from_secs(20), "stopped after {:?}", begun.elapsed());
        gate.open();
        drop(stream);
    }
}
