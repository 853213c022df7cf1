import API
import Base
import Domain
import HTTP
import Net
import Runtime

/// Asks services whether they are there, when Eta says so, and tells Eta:
/// `GET {address}/.well-known/avr-service?challenge=…` has to answer its id and the challenge.
final class ServiceChecker: Component, RegistryObserver {
    private struct Answer: Decodable {
        let id: String
        let challenge: String
    }
    private struct State {
        /// Services that are being asked, and who waits for what comes of it.
        var running: [ServiceTarget: [@Sendable (Bool) -> Void]] = [:]
        var tasks: [ServiceTarget: Task<Void, Never>] = [:]
        /// Those that have to wait.
        var waiting: [ServiceTarget] = []
        var isStopping = false
    }

    /// Services that are asked at a time.
    private static let width = 32
    /// Services that wait for their turn; Eta asks again for what is beyond.
    private static let limit = 10_000
    /// How long one may take.
    private static let patience = Duration.seconds(3)
    private static let answerLimit = 4_096

    let name = "services"
    private let eta: EtaLink
    private let directory: ServiceDirectory
    private let client: HTTPClient
    private let outbound: OutboundGuard
    private let loop: any LoopExecutor
    private let ambient: Ambient
    private let state = Lock(State())

    init(
        eta: EtaLink, directory: ServiceDirectory, client: HTTPClient, outbound: OutboundGuard,
        loop: any LoopExecutor, ambient: Ambient
    ) {
        self.eta = eta
        self.directory = directory
        self.client = client
        self.outbound = outbound
        self.loop = loop
        self.ambient = ambient
    }

    func welcomed(_ welcome: Welcome) {}
    func etaLost() {}

    func received(_ push: RegistryPush) {
        guard case .look(let targets) = push else { return }
        for target in targets { begin(target, within: Self.patience, nil) }
    }

    /// Asks one now, for who waits for it; together with who asks for it already.
    func look(
        at target: ServiceTarget, within patience: Duration,
        _ told: @escaping @Sendable (Bool) -> Void
    ) {
        begin(target, within: patience, told)
    }

    private func begin(
        _ target: ServiceTarget, within patience: Duration, _ told: (@Sendable (Bool) -> Void)?
    ) {
        let isFree = state.withLock { state in
            if state.isStopping { return false }
            if state.running[target] != nil {
                if let told { state.running[target]?.append(told) }
                return false
            }
            // Who waits for it comes at once.
            guard told != nil || state.running.count < Self.width else {
                if state.waiting.count < Self.limit { state.waiting.append(target) }
                return false
            }
            state.running[target] = told.map { [$0] } ?? []
            return true
        }
        guard isFree else { return }
        let task = Task.immediate { await self.check(target, within: patience) }
        // It may be over already.
        state.withLock { state in
            if state.running[target] != nil { state.tasks[target] = task }
        }
    }

    func stop() async {
        let tasks = state.withLock { state in
            state.isStopping = true
            return Array(state.tasks.values)
        }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    private func check(_ target: ServiceTarget, within patience: Duration) async {
        let problem = await ask(target, within: patience)
        let isUp = problem == nil
        if !Task.isCancelled { await report(target, problem) }
        let (told, next) = state.withLock { state in
            let told = state.running.removeValue(forKey: target) ?? []
            state.tasks[target] = nil
            return (told, state.waiting.isEmpty ? nil : state.waiting.removeFirst())
        }
        for tell in told { tell(isUp) }
        if let next { begin(next, within: Self.patience, nil) }
    }

    /// What is wrong with a service; nil for nothing.
    private func ask(_ target: ServiceTarget, within patience: Duration) async -> String? {
        let challenge = Base64.encodeURL(ambient.random.bytes(16))
        let (address, server) = (target.address, target.address.server)
        let path = "\(address.path)/.well-known/avr-service?challenge=\(challenge)"
        let request = ClientRequest(
            .get, secure: target.secure, host: server.hostText, port: server.port,
            target: Array(path.utf8), fields: Fields((.accept, "application/json")),
            deadlines: Deadlines(connect: patience, firstByte: patience, whole: patience),
            outbound: outbound)
        do {
            let response = try await client.send(request, on: loop)
            guard response.status == .ok else { return "status \(response.status.code)" }
            let body = try await response.collect(limit: Self.answerLimit)
            let answer = try JSONCoder.decode(Answer.self, from: JSONParser.parse(body))
            guard answer.id == target.id.text else { return "another id" }
            return answer.challenge == challenge ? nil : "another challenge"
        } catch { return "\(error)" }
    }

    private func report(_ target: ServiceTarget, _ problem: String?) async {
        let isNews = directory.route(to: target.id)?.isUp != (problem == nil)
        if isNews {
            ambient.log.notice(
                problem == nil ? "service up" : "service down", .text("service", target.id.text),
                .reason(problem ?? "it answers"))
        }
        do throws(APIError) {
            let _: Nothing = try await eta.call(
                RegistryAPI.serviceChecked,
                RegistryAPI.ServiceCheck(target, isUp: problem == nil),
                captures: [target.id.text], on: loop)
        } catch {
            ambient.log.info("check lost", .text("service", target.id.text))
        }
    }
}
