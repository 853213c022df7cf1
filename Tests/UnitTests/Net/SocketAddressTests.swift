import Base
import Dispatch
import Testing

@testable import Net

/// Where bytes go: what is read, how it is written, and that the kernel understands it alike.
struct SocketAddressTests {
    @Test(arguments: [
        "127.0.0.1:80", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:3032", "[2001:db8::1]:443",
    ])
    func `a literal with its port is read and written alike`(text: String) throws {
        let address = try #require(SocketAddress(text))
        #expect(address.description == text)
        #expect(SocketAddress(address.raw) == address)
    }

    @Test(arguments: [
        "", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:+1", "::1:80", "[::1]",
        "[127.0.0.1]:80", "localhost:80", "127.0.0.1:123456", "[]:1",
    ])
    func `anything else is refused`(text: String) {
        #expect(SocketAddress(text) == nil)
    }

    @Test func `a port that is taken is told as such, also by another of our processes`() throws {
        System.prepareProcess()
        let any = try #require(SocketAddress("127.0.0.1:0"))
        let first = try Listener.open(any, shared: false)
        let bound = try System.localAddress(first.number)
        #expect(bound.port != 0)
        // A further loop of the same server shares it; a second server does not.
        let second = try Listener.open(bound, shared: true)
        #expect(second.number != first.number)
        let error = #expect(throws: SystemError.self) {
            _ = try Listener.open(bound, shared: false).number
        }
        #expect(error?.isAddressInUse == true)
    }
}

/// Names become addresses on other threads, within a deadline.
struct ResolverTests {
    private func resolve(
        _ name: String, _ deadline: Duration = .seconds(5), threads: Int = 1
    ) async throws -> Result<[SocketAddress], ResolveError> {
        let group = try EventLoopGroup(count: 1, ambient: .silent())
        defer { group.stop() }
        let pool = BlockingPool(name: "names", threads: threads, queueLimit: 4)
        defer { pool.stop() }
        return await Asker(group.next()).ask(Resolver(pool: pool), name, deadline)
    }

    @Test func `addresses need nobody to ask`() async throws {
        let four = try await resolve("192.0.2.7", threads: 0).get()
        #expect(four == [try #require(SocketAddress("192.0.2.7:81"))])
        let six = try await resolve("[2001:db8::7]", threads: 0).get()
        #expect(six == [try #require(SocketAddress("[2001:db8::7]:81"))])
    }

    @Test func `a name of this machine is found`() async throws {
        let found = try await resolve("localhost").get()
        #expect(!found.isEmpty)
        #expect(found.allSatisfy { $0.ip.isLoopback && $0.port == 81 })
    }

    @Test func `who is asked and never answers costs no more than the deadline`() async throws {
        // No thread works on the pool, which is what a dead name server looks like.
        let answer = try await resolve("nobody.invalid", .milliseconds(10), threads: 0)
        #expect(answer == .failure(.timedOut))
    }

    @Test func `a name that nobody waits for any more is not asked`() async throws {
        let group = try EventLoopGroup(count: 1, ambient: .silent())
        defer { group.stop() }
        let pool = BlockingPool(name: "names", threads: 1, queueLimit: 4)
        defer { pool.stop() }
        let asked = Lock<[String]>([])
        let resolver = Resolver(pool: pool) { name, _ in
            asked.withLock { $0.append(name) }
            return .failure(.unknown)
        }
        let gate = DispatchSemaphore(value: 0)
        #expect(pool.submit { gate.wait() })
        let asker = Asker(group.next())
        #expect(await asker.ask(resolver, "late.invalid", .milliseconds(1)) == .failure(.timedOut))
        gate.signal()
        #expect(await asker.ask(resolver, "next.invalid", .seconds(5)) == .failure(.unknown))
        #expect(asked.withLock { $0 } == ["next.invalid"])
    }
}

private actor Asker {
    private let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
    init(_ loop: EventLoop) { self.loop = loop }

    func ask(
        _ resolver: Resolver, _ name: String, _ deadline: Duration
    ) async -> Result<[SocketAddress], ResolveError> {
        do throws(ResolveError) {
            let found = try await resolver.resolve(name, port: 81, deadline: deadline, on: loop)
            precondition(loop.isCurrent, "left the loop")
            return .success(found)
        } catch {
            return .failure(error)
        }
    }
}
