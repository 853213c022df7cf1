import Base
import Net
import Runtime

/// Starts Reil, the gateway of a node.
@main
public enum Reil {
    static let program = Program(
        name: "reil",
        summary: "The gateway of a node: the only process that clients and other nodes talk to.",
        settings: ReilSettings.all,
        elsewhere: NodeSettings.keys,
        subcommands: RuleCommands.all, serve: serve)

    /// Runs until told to stop.
    public static func main() { ProcessMain.run(program) }

    private static func serve(_ launch: Launch) async throws -> Serving {
        var settings = try ReilSettings(launch.config)
        let path = launch.config[ReilSettings.clusterKey]
        settings.clusterKey = try await launch.waitFor("the cluster key \(path)") {
            try KeyFiles.clusterKey(path)
        }
        let role = try GatewayRole(settings, clock: launch.clock, on: launch.group)
        try role.bind()
        return Serving(
            [
                role.eta, role.peering.ender, role.peering.runner, role.services.checker, role,
            ], address: { role.address },
            health: { role.eta.hasLease ? ["eta": "up"] : nil }, reload: { role.reload() })
    }
}
