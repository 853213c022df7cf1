import Base
import Domain
import Runtime

/// What is done again and again while Eta runs: expired rows, empty instances, figures.
final class Sweeper: Component {
    private struct Job: Sendable {
        var name: String
        var interval: Duration
        var due: Instant
        var work: Work
    }
    /// A struct around the closure, which the compiler wants in an array.
    private struct Work: Sendable {
        let run: @Sendable () async throws(APIError) -> Void
    }

    let name = "sweeper"
    private let ambient: Ambient
    private let loop: any LoopExecutor
    private let jobs = Lock<[Job]>([])
    private let stopped = Lock(false)
    /// How finely the time is looked at.
    private static let turn: Duration = .milliseconds(100)

    /// Does its jobs from `loop`.
    init(_ ambient: Ambient, on loop: any LoopExecutor) {
        self.ambient = ambient
        self.loop = loop
    }

    func run() async {
        while !stopped.withLock({ $0 }) {
            await loop.rest(for: Self.turn)
            await sweep()
        }
    }

    func stop() async { stopped.withLock { $0 = true } }

    /// Has `work` done every `interval`, for the first time after one, or after `first`.
    func every(
        _ interval: Duration, _ name: String, first: Duration? = nil,
        _ work: @escaping @Sendable () async throws(APIError) -> Void
    ) {
        let job = Job(
            name: name, interval: interval, due: ambient.clock.now() + (first ?? interval),
            work: Work(run: work))
        jobs.withLock { $0.append(job) }
    }

    /// Does what is due; one job that fails keeps no other from its turn.
    func sweep() async {
        let now = ambient.clock.now()
        let due = jobs.withLock { jobs in
            var due: [Job] = []
            for index in jobs.indices where jobs[index].due <= now {
                due.append(jobs[index])
                jobs[index].due = now + jobs[index].interval
            }
            return due
        }
        for job in due {
            do throws(APIError) {
                try await job.work.run()
            } catch {
                ambient.log.error(
                    "sweep failed", .text("job", job.name), .reason(error.context))
            }
        }
    }
}

extension LoopExecutor {
    /// Comes back once `duration` has passed.
    func rest(for duration: Duration) async {
        await withCheckedContinuation { continuation in
            execute { _ = self.schedule(after: duration) { continuation.resume() } }
        }
    }
}
