import API
import Base
import HTTP
import Net
import Runtime
import Storage

/// Where Reil reaches Eta.
final class EtaServer: Component {
    let name = "server"
    private let server: HTTPServer
    /// Kept to the end, and with it the lock of the data folder.
    private let registry: Registry
    private let bound = Lock<SocketAddress?>(nil)

    init(_ registry: Registry, _ router: Router, on group: EventLoopGroup) {
        server = HTTPServer(group: group, name: "registry", responder: router)
        self.registry = registry
    }

    /// Where it really listens.
    var address: String { bound.withLock { $0 }?.description ?? "" }

    func start() async throws {
        do throws(SystemError) {
            let address = try server.listen(on: registry.settings.listen)
            bound.withLock { $0 = address }
            registry.record.becameReady(at: registry.ambient.clock.timestamp())
        } catch {
            throw Fault(
                "\(EtaSettings.listen.key) \(registry.settings.listen) cannot be had (\(error))",
                remedy: "free the port, or set another")
        }
    }

    func stop() async {
        await server.drain(deadline: .seconds(8))
        server.closeAll()
        await registry.database.close()
    }
}
