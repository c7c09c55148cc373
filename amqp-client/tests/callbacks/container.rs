//! What belongs to no connection: start and stop, timers, injected events, deferred work.

use std::time::Duration;

use amqp_client::Container;
use amqp_client::handler::{
    ApplicationEvent, HandlerResult, InjectedEvent, MessagingHandler, StartEvent, Task, TimerEvent,
};

use crate::recorder::{Log, Recorder, ended, stop};

/// Hears of its own task only.
struct OwnTask(Log);

impl MessagingHandler for OwnTask {
    fn on_timer_task(&mut self, _: &TimerEvent) -> HandlerResult {
        self.0.add("own");
        Ok(())
    }
}

#[tokio::test]
async fn a_task_calls_its_own_handler_else_the_containers() {
    let log = Log::new();
    let own = OwnTask(log.clone());
    let mut recorder = Recorder::part(log.clone());
    recorder.start = Some(Box::new(move |container| {
        container.schedule_handled(Duration::from_millis(1), own);
        container.schedule(Duration::from_millis(1));
        container.schedule(Duration::from_millis(1)).cancel();
        Ok(())
    }));
    let (_, running) = recorder.run();
    let mut lines = ended(&log, running).await;
    lines[1..3].sort();
    assert_eq!(lines, ["start", "own", "timer_task", "stop"]);
}

/// Looks whether the event names the task.
struct Same(Option<Task>, bool);

impl MessagingHandler for Same {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        self.0 = Some(event.container().schedule(Duration::from_millis(1)));
        Ok(())
    }

    fn on_timer_task(&mut self, event: &TimerEvent) -> HandlerResult {
        self.1 = self.0.as_ref() == Some(event.task());
        // It has been called: that changes nothing.
        event.task().cancel();
        Ok(())
    }
}

#[tokio::test]
async fn the_event_names_the_task_that_schedule_returned() {
    let running = Container::new("timers").start(Same(None, false)).unwrap();
    assert!(running.wait().await.unwrap().1);
}

#[tokio::test]
async fn a_stop_cancels_tasks_and_is_told_last() {
    let (log, running) = Recorder::new(|container| {
        container.schedule(Duration::from_secs(3600));
        Ok(())
    })
    .run();
    log.has("quiescent", 1).await;
    assert_eq!(stop(&log, running).await, ["start", "stop"]);
}

#[tokio::test]
async fn quiescent_each_time_nothing_is_left_to_be_done() {
    let (tell, injector) = std::sync::mpsc::channel();
    let (log, running) = Recorder::new(move |container| {
        tell.send(container.injector())?;
        Ok(())
    })
    .run();
    let injector = injector.recv().unwrap();
    for round in 1..=3 {
        log.has("quiescent", round).await;
        assert_eq!(log.lines().last().unwrap(), "quiescent");
        injector.trigger(ApplicationEvent::new("once"));
        log.has("event once", round).await;
    }
    drop(injector);
    ended(&log, running).await;
}

#[tokio::test]
async fn deferred_work_is_done_between_two_callbacks_in_order() {
    let log = Log::new();
    let deferred = log.clone();
    let mut recorder = Recorder::part(log.clone());
    recorder.start = Some(Box::new(move |container| {
        for n in 0..3 {
            let log = deferred.clone();
            container.defer(move || log.add(format!("work {n}")));
        }
        deferred.add("started");
        Ok(())
    }));
    let (_, running) = recorder.run();
    assert_eq!(
        ended(&log, running).await,
        ["start", "started", "work 0", "work 1", "work 2", "stop"]
    );
}

/// Fails where no connection is concerned.
struct Fails {
    panics: bool,
    stopped: Log,
}

impl MessagingHandler for Fails {
    fn on_start(&mut self, event: &StartEvent) -> HandlerResult {
        event.container().schedule(Duration::from_secs(3600));
        let injector = event.container().injector();
        injector.trigger(ApplicationEvent::new("fail"));
        std::mem::forget(injector);
        Ok(())
    }

    fn on_application_event(&mut self, event: &InjectedEvent) -> HandlerResult {
        assert!(!self.panics, "{} as it should", event.name());
        Err(format!("{} as it should", event.name()).into())
    }

    fn on_stop(&mut self, _: &StartEvent) -> HandlerResult {
        self.stopped.add("stop");
        Ok(())
    }
}

#[tokio::test]
async fn a_failure_that_belongs_to_no_connection_ends_the_run() {
    for panics in [false, true] {
        let stopped = Log::new();
        let fails = Fails {
            panics,
            stopped: stopped.clone(),
        };
        let running = Container::new("fails").start(fails).unwrap();
        let Err(error) = running.wait().await else {
            panic!("it fails")
        };
        assert_eq!(error.kind(), amqp_client::ErrorKind::Handler);
        assert!(error.to_string().contains("fail as it should"), "{error}");
        assert_eq!(stopped.lines(), ["stop"]);
    }
}
