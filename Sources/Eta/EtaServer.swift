import API
import Base
import HTTP
import Net
import Runtime

/// Where Reil reaches Eta.
final class EtaServer: Component {
    let name = "server"
    private let server: HTTPServer
    private let settings: EtaSettings
    private let ambient: Ambient
    private let record: ServerRecord
    private let bound = Lock<SocketAddress?>(nil)

    init(_ registry: Registry, _ router: Router, on group: EventLoopGroup) {
        server = HTTPServer(group: group, name: "registry", responder: router)
        settings = registry.settings
        ambient = registry.ambient
        record = registry.record
    }

    /// Where it really listens.
    var address: String { bound.withLock { $0 }?.description ?? "" }

    func start() async throws {
        do throws(SystemError) {
            let address = try server.listen(on: settings.listen)
            bound.withLock { $0 = address }
            record.becameReady(at: ambient.clock.timestamp())
        } catch {
            throw Fault(
                "\(EtaSettings.listen.key) \(settings.listen) cannot be had (\(error))",
                remedy: "free the port, or set another")
        }
    }

    func stop() async {
        await server.drain(deadline: .seconds(8))
        server.closeAll()
    }
}
