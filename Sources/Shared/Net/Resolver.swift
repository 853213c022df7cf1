import Base
import CLinux

/// Why a name has no address.
public enum ResolveError: Error, Sendable, Equatable {
    /// Nobody knows the name.
    case unknown
    /// No answer within the deadline.
    case timedOut
    /// Too many names are being asked for already.
    case overloaded
}

/// Finds the addresses of names, on threads of its own since the system's way of asking blocks.
public struct Resolver: Sendable {
    /// More than one host has, in practice.
    private static let limit = 16
    private let pool: BlockingPool
    private let lookUp: LookUp

    /// Asks for the addresses of a host, for as long as that may take.
    typealias LookUp = @Sendable (String, UInt16) -> Result<[SocketAddress], ResolveError>

    /// A resolver that asks the system on `pool`'s threads.
    public init(pool: BlockingPool) { self.init(pool: pool, lookUp: Self.ask) }

    /// A resolver that asks `lookUp` on `pool`'s threads.
    init(pool: BlockingPool, lookUp: @escaping LookUp) {
        self.pool = pool
        self.lookUp = lookUp
    }

    /// The addresses of `host` (a name, or an address itself, with brackets or without) in the
    /// order in which they are to be tried. On `loop`'s thread.
    public func resolve(
        _ host: String, port: UInt16, deadline: Duration, on loop: any LoopExecutor
    ) async throws(ResolveError) -> [SocketAddress] {
        let bare =
            host.hasPrefix("[") && host.hasSuffix("]") ? host.dropFirst().dropLast() : host[...]
        if let ip = IPAddress(bare) { return [SocketAddress(ip, port: port)] }
        let (pool, lookUp) = (pool, lookUp)
        let answer: Result<[SocketAddress], ResolveError> = await withCheckedContinuation {
            continuation in
            let once = Lock<CheckedContinuation<Result<[SocketAddress], ResolveError>, Never>?>(
                continuation)
            let timer = loop.schedule(after: deadline) {
                once.take()?.resume(returning: .failure(.timedOut))
            }
            let accepted = pool.submit {
                // Names that nobody waits for any more hold no thread against those that follow.
                guard once.withLock({ $0 != nil }) else { return }
                let found = lookUp(host, port)
                loop.execute {
                    loop.cancel(timer)
                    once.take()?.resume(returning: found)
                }
            }
            if !accepted {
                loop.cancel(timer)
                once.take()?.resume(returning: .failure(.overloaded))
            }
        }
        return try answer.get()
    }

    // SAFETY: the call fills at most `limit` addresses of the array that it is given.
    private static func ask(_ host: String, _ port: UInt16) -> Result<[SocketAddress], ResolveError>
    {
        var found = [reileta_address](repeating: reileta_address(), count: limit)
        let count = unsafe reileta_resolve(host, port, &found, Int32(limit))
        guard count > 0 else { return .failure(.unknown) }
        return .success(found[..<Int(count)].map { SocketAddress($0) })
    }
}

extension Lock {
    /// Takes the value out, once.
    fileprivate func take<Value>() -> Value? where State == Value? {
        withLock { state in
            defer { state = nil }
            return state
        }
    }
}
