import Base
import Domain
import Runtime

/// What is done again and again while Eta runs: expired rows, empty instances, figures. A job that
/// takes long keeps no other from its turn.
final class Sweeper: Component {
    private struct Job: Sendable {
        var name: String
        var interval: Duration
        /// When it is done next; nil while it is under way.
        var due: Instant?
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
        await withDiscardingTaskGroup { group in
            while !stopped.withLock({ $0 }) {
                await loop.pause(for: Self.turn)
                for (index, job) in takeDue() { group.addTask { await self.perform(job, index) } }
            }
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

    private func takeDue() -> [(index: Int, job: Job)] {
        let now = ambient.clock.now()
        return jobs.withLock { jobs in
            let due = jobs.enumerated().filter { $1.due.map { $0 <= now } ?? false }
            for (index, _) in due { jobs[index].due = nil }
            return due.map { (index: $0, job: $1) }
        }
    }

    private func perform(_ job: Job, _ index: Int) async {
        do throws(APIError) {
            try await job.work.run()
        } catch {
            ambient.log.error("sweep failed", .text("job", job.name), .reason(error.context))
        }
        let next = ambient.clock.now() + job.interval
        jobs.withLock { $0[index].due = next }
    }
}
