// A game's scene: entities and particles live in the level's blocks; dead entities wait in a graveyard for the end of a frame.
#include "unseen.h"
#include <string.h>

struct Vector { float x, y, z, w; };
struct Particle { Vector at, speed, colour; float age, life, size, spin; };

class Blocks { // of a level: nothing is given back one by one
public:
    void *take(unsigned bytes)
    {
        bytes = (bytes + 31) & ~31u;
        void *out = memory + used;
        used += bytes;
        return used <= sizeof memory ? out : NULL;
    }
    void reset() { used = 0; level++; }
    unsigned used = 0, level = 1;
    alignas(32) char memory[0x3000];
};
static Blocks blocks;

class Entity {
public:
    Entity(int number, float x, float y) : id(number), at{ x, y, 0, 1 } { initialize(&lock); }
    virtual ~Entity() { DeleteCriticalSection(&lock); }
    virtual bool think(float step)
    {
        EnterCriticalSection(&lock);
        at.x += step * 3;
        at.y -= step;
        bool alive = (health -= 9) > 0;
        LeaveCriticalSection(&lock);
        return alive;
    }
    int id, health = 100;
    Vector at;
    CRITICAL_SECTION lock;
};
struct Turret : Entity {
    using Entity::Entity;
    bool think(float step) override { heat += step; return heat < 2.5f && Entity::think(step / 8); }
    float heat = 0;
};

static Entity *entities[32];
static Particle *particles[128];
static Entity *graveyard[32];
static int entity_count, particle_count, grave_count;

template <class Kind> static void spawn(float x, float y)
{
    void *place = blocks.take(sizeof(Kind));
    entities[entity_count] = new (place) Kind(entity_count + 1, x, y);
    entity_count++;
}
static void spark(float x, float y, int n)
{
    for (int i = 0; i < n && particle_count < 128; i++) {
        Particle *p = static_cast<Particle *>(blocks.take(sizeof(Particle)));
        *p = { { x + i * 0.25f, y, 0.5f, 1 }, { 0.75f, -1.5f, 0.125f * i, 0 }, { 1, 0.5f, 0.25f, 0.75f }, 0, 2, 1.25f, 0.375f };
        particles[particle_count++] = p;
    }
}
static void bury() // not all at once: a frame has its time
{
    for (int budget = 2; budget > 0 && grave_count > 0; budget--) {
        Entity *dead = graveyard[--grave_count];
        expect(&dead->lock);
        dead->Entity::~Entity();
    }
}
NOINLINE static void frame(float step)
{
    for (int i = 0; i < entity_count; i++)
        if (!entities[i]->think(step)) {
            spark(entities[i]->at.x, entities[i]->at.y, 2);
            graveyard[grave_count++] = entities[i];
            entities[i--] = entities[--entity_count];
        }
    for (int i = 0; i < particle_count; i++) {
        particles[i]->age += step;
        particles[i]->at.x += particles[i]->speed.x * step;
        particles[i]->at.y += particles[i]->speed.y * step;
    }
    bury();
}
NOINLINE static void load(int level)
{
    if (level > 1) {
        for (int i = 0; i < entity_count; i++)
            entities[i]->Entity::~Entity();
        if (grave_count > 0)
            act("memory-released", &graveyard[grave_count - 1]->lock);
        blocks.reset();
    }
    entity_count = particle_count = 0;
    if (level == 2) // rain
        for (int i = 0; i < 40; i++)
            spark(i * 2.0f, 30, 2);
    for (int i = 0; i < 6 - level; i++)
        spawn<Entity>(i * 4.0f, 2);
    spawn<Turret>(50, 0);
}

int main()
{
    LAB_START();
    load(1);
    for (int i = 0; i < 12; i++)
        frame(0.25f);
    load(2);
    for (int i = 0; i < 12; i++)
        frame(0.25f);
    return entity_count;
}
