/// Starts Reil.
@main
public enum Reil {
    /// Runs until told to stop.
    public static func main() {}
}
