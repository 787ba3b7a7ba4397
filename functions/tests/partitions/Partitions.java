import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;

/** Prints where Java's producer puts keys: the key in hex, the partition count, the partition. */
public class Partitions {
    public static void main(String[] args) {
        List<byte[]> keys = new ArrayList<>();
        for (String key : List.of("L0SM9cOFvHcCIhw=", "room-1", "Zürich", "日本語", "👋", "a b\n", "21", "foobar"))
            keys.add(key.getBytes(StandardCharsets.UTF_8));
        Random random = new Random(7);
        for (int length = 1; length <= 64; length++) {
            byte[] key = new byte[length];
            random.nextBytes(key);
            keys.add(key);
        }
        byte[] large = new byte[1000];
        random.nextBytes(large);
        keys.add(large);
        for (byte[] key : keys)
            for (int count : List.of(1, 2, 3, 12, 50, 1000))
                System.out.printf("%s\t%d\t%d%n", HexFormat.of().formatHex(key), count,
                    BuiltInPartitioner.partitionForKey(key, count));
    }
}
