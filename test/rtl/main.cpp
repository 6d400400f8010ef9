// Runs layers on the array under Verilator. Reads a file of vectors (vectors.ts writes it) and prints a line a layer:
// busy cycles of the array, and the output's bytes in hexadecimal. Copies between the memories are done here, and wait for
// the array where the program says so.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "Varray_unit.h"
#include "Varray_unit___024root.h"

namespace {

std::vector<uint8_t> load(const char* path) {
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) std::exit(2);
  std::fseek(file, 0, SEEK_END);
  std::vector<uint8_t> bytes(std::ftell(file));
  std::rewind(file);
  if (std::fread(bytes.data(), 1, bytes.size(), file) != bytes.size()) std::exit(2);
  std::fclose(file);
  return bytes;
}

class Bench {
 public:
  explicit Bench(std::vector<uint8_t> bytes) : input_(std::move(bytes)) {
    top_.reset = 1;
    tick();
    top_.reset = 0;
  }

  void run() {
    for (int layers = word(); layers > 0; layers--) layer();
  }

 private:
  void layer() {
    dram_.assign(input_.begin() + at_ + 4, input_.begin() + at_ + 4 + peek());
    at_ += 4 + (dram_.size() + 3) / 4 * 4;
    cycles_ = 0;
    for (int commands = word(); commands > 0; commands--) {
      const bool starts = word() != 0;
      if (word() != 0) settle();
      if (starts) start(); else copy();
    }
    settle();
    std::printf("%llu ", static_cast<unsigned long long>(cycles_));
    const int address = word(), length = word();
    for (int i = 0; i < length; i++) std::printf("%02x", dram_[address + i]);
    std::printf("\n");
  }

  void start() {
    constexpr int words = sizeof(top_.command) / 4;
    // The first field of a packed structure is its highest word.
    for (int i = words - 1; i >= 0; i--) top_.command[i] = word();
    top_.start = 1;
    top_.eval();
    while (!top_.ready) tick();
    tick();
    top_.start = 0;
  }

  void settle() {
    top_.eval();
    while (top_.busy) tick();
  }

  void tick() {
    if (top_.busy) cycles_++;
    top_.clock = 1;
    top_.eval();
    top_.clock = 0;
    top_.eval();
  }

  struct View {
    uint8_t* memory;
    int address;
    std::vector<int> strides;
  };

  View view(int rank) {
    const bool inSram = word() != 0;
    View made{inSram ? &top_.rootp->array_unit__DOT__sram[0] : dram_.data(), word(), {}};
    for (int axis = 0; axis < rank; axis++) made.strides.push_back(word());
    return made;
  }

  void copy() {
    const int size = word(), rank = word();
    std::vector<int> shape, index(rank, 0);
    for (int axis = 0; axis < rank; axis++) shape.push_back(word());
    const View from = view(rank), to = view(rank);
    for (;;) {
      int source = from.address, target = to.address;
      for (int axis = 0; axis < rank; axis++) {
        source += index[axis] * from.strides[axis];
        target += index[axis] * to.strides[axis];
      }
      for (int i = 0; i < size; i++) to.memory[target + i] = from.memory[source + i];
      int axis = rank - 1;
      while (axis >= 0 && ++index[axis] == shape[axis]) index[axis--] = 0;
      if (axis < 0) return;
    }
  }

  int32_t peek() const {
    int32_t value = 0;
    for (int i = 3; i >= 0; i--) value = value * 256 | input_[at_ + i];
    return value;
  }

  int32_t word() {
    const int32_t value = peek();
    at_ += 4;
    return value;
  }

  Varray_unit top_;
  std::vector<uint8_t> input_;
  std::vector<uint8_t> dram_;
  size_t at_ = 0;
  uint64_t cycles_ = 0;
};

}  // namespace

int main(int, char** arguments) {
  Bench(load(arguments[1])).run();
  return 0;
}
