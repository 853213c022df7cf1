import Base
import Net
import Runtime

/// Starts Eta, the registry of a node.
@main
public enum Eta {
    static let program = Program(
        name: "eta",
        summary: "The registry of a node: users, worlds, files, instances, and who may do what.",
        settings: EtaSettings.all,
        elsewhere: NodeSettings.keys,
        subcommands: Administration.subcommands, serve: serve)

    /// Runs until told to stop.
    public static func main() { ProcessMain.run(program) }

    private static func serve(_ launch: Launch) async throws -> Serving {
        let settings = try EtaSettings(launch.config)
        let registry = try await Registry(settings, on: launch.group)
        var router = registry.makeRouter()
        if settings.testing {
            TestClock(clock: launch.clock, pushes: registry.pushes).bind(&router)
        }
        let server = EtaServer(registry, router, on: launch.group)
        return Serving(
            [server, registry.watch, registry.sweeper], address: { server.address })
    }
}
